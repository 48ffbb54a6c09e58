// THE table: of any length, of which only the visible rows are drawn. Rows come from a list in memory, or page by page from the
// proxy as they come into view. The first cell of a row is its link; arrow keys go from row to row.

// biome-ignore-all lint/a11y/noRedundantRoles: their display makes some browsers forget what they are

import { useRouter } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import {
  type KeyboardEvent,
  type MouseEvent,
  memo,
  type ReactNode,
  useCallback,
  useEffect,
  useRef,
  useState,
} from 'react';
import type { Query } from '../api/client.ts';
import { pageOf, type Rows, useRows } from '../api/queries.ts';
import { count } from '../format.ts';
import { Failed, Waiting } from './EmptyState.tsx';
import { type Target, useHref } from './ScreenLink.tsx';

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** `answeredAt`: when the proxy told it, ms since 1970. */
  readonly cell: (row: Row, answeredAt: number) => ReactNode;
  /** What the whole cell says, where it may be cut off. */
  readonly text?: (row: Row) => string;
  /** The field to sort by. */
  readonly sort?: string;
  /** Numbers stand at the right, and sort with the largest first. */
  readonly number?: boolean;
  /** Share of the width: a class `column-N` of table.css, 1 to 12. */
  readonly width: 1 | 2 | 3 | 4 | 5 | 6 | 8 | 12;
  /** Left out where there is less room. */
  readonly from?: 'medium' | 'wide';
}

interface Common<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string;
  readonly link?: (row: Row) => Target;
  readonly sort?: string;
  readonly onSort?: (sort: string) => void;
  readonly empty: ReactNode;
  /** As tall as its rows, up to a limit; without it, as tall as there is room. */
  readonly compact?: boolean;
}

interface PagedProps<Row> extends Common<Row> {
  readonly path: string;
  readonly query: Query;
  /** ms between two looks. */
  readonly every?: number;
  readonly onTotal?: (total: number) => void;
}

/** Rows above and below the visible ones that are drawn, too. */
const OVERSCAN = 12;
const FIRST_ROWS = { first: 0, last: 49 };

/** Of a list below /api/. */
export function PagedTable<Row>({ path, query, every, onTotal, ...rest }: PagedProps<Row>) {
  const [range, setRange] = useState(FIRST_ROWS);
  const onRange = useCallback((next: typeof FIRST_ROWS) => {
    // What counts is which pages they are on.
    setRange((before) =>
      pageOf(before.first) === pageOf(next.first) && pageOf(before.last) === pageOf(next.last)
        ? before
        : next,
    );
  }, []);
  const sorted = rest.sort === undefined || rest.sort === '' ? query : { ...query, sort: rest.sort };
  const rows = useRows<Row>(path, sorted, range, every === undefined ? {} : { every });
  const { total, pending } = rows;
  useEffect(() => {
    if (!pending) onTotal?.(total);
  }, [total, pending, onTotal]);
  return <Table rows={rows} onRange={onRange} resetKey={JSON.stringify(sorted)} {...rest} />;
}

/** Of a list in memory. */
export function ListTable<Row>({ rows, ...rest }: Common<Row> & { readonly rows: readonly Row[] }) {
  const all: Rows<Row> = {
    total: rows.length,
    at: (index) => rows[index],
    answeredAt: () => 0,
    error: null,
    pending: false,
  };
  return <Table rows={all} resetKey="" {...rest} />;
}

interface TableProps<Row> extends Common<Row> {
  readonly rows: Rows<Row>;
  readonly onRange?: (range: { first: number; last: number }) => void;
  /** When it changes, the table starts from the top. */
  readonly resetKey: string;
}

function Table<Row>({ rows, onRange, resetKey, ...props }: TableProps<Row>) {
  const { label, columns, rowKey, link, sort, onSort, empty, compact = false } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const rowHeight = useRowHeight();
  const virtualizer = useVirtualizer({
    count: rows.total,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN,
    initialRect: { width: 800, height: 900 },
  });
  const visible = virtualizer.getVirtualItems();
  const router = useRouter();
  const hrefOf = useHref();
  const first = visible[0]?.index ?? 0;
  const last = visible.at(-1)?.index ?? FIRST_ROWS.last;
  useEffect(() => onRange?.({ first, last }), [first, last, onRange]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question starts from the top
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 });
    setActive(0);
  }, [resetKey]);

  if (rows.error !== null && rows.pending) return <Failed error={rows.error} />;
  if (rows.pending) return <Waiting />;
  if (rows.total === 0) return empty;

  const focusRow = (index: number): void => {
    const next = Math.max(0, Math.min(rows.total - 1, index));
    setActive(next);
    virtualizer.scrollToIndex(next);
    requestAnimationFrame(() => {
      scroller.current?.querySelector<HTMLElement>(`[data-row="${next}"] a`)?.focus({ preventScroll: true });
    });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (link === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const moves: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const move =
      event.key === 'Home' ? -active : event.key === 'End' ? rows.total - 1 - active : moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    focusRow(active + move);
  };
  // One for all rows, whose links are plain: the router's own cost more than all else in a row.
  const onClick = (event: MouseEvent): void => {
    if (event.button !== 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const href = (event.target as Element).closest('a.row-link')?.getAttribute('href');
    if (typeof href !== 'string') return;
    event.preventDefault();
    router.history.push(href);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys and clicks of the rows' links come up to here
    <div
      className={compact ? 'table-scroll table-compact' : 'table-scroll'}
      ref={scroller}
      onKeyDown={onKeyDown}
      onClick={onClick}
      // What scrolls must be reached by keyboard.
      tabIndex={link === undefined ? 0 : undefined}
    >
      <table
        className={columns.some(({ width }) => width === 12) ? 'table' : 'table table-even'}
        role="table"
        aria-label={label}
        aria-rowcount={rows.total + 1}
      >
        <thead role="rowgroup">
          <tr role="row" aria-rowindex={1}>
            {columns.map((column) => (
              <HeadCell key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup" style={{ height: virtualizer.getTotalSize() }}>
          {visible.map(({ index, start }) => {
            const row = rows.at(index);
            return (
              <TableRow
                key={row === undefined ? index : rowKey(row)}
                index={index}
                start={start}
                row={row}
                answeredAt={rows.answeredAt(index)}
                columns={columns}
                link={link}
                hrefOf={hrefOf}
                active={index === active}
                onActive={setActive}
              />
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface TableRowProps<Row> {
  readonly index: number;
  /** px from the top of the body. */
  readonly start: number;
  readonly row: Row | undefined;
  readonly answeredAt: number;
  readonly columns: readonly Column<Row>[];
  readonly link: ((row: Row) => Target) | undefined;
  readonly hrefOf: (target: Target) => string;
  readonly active: boolean;
  readonly onActive: (index: number) => void;
}

/** Drawn again only when it has changed: while somebody scrolls, most rows have not. */
const TableRow = memo(PlainRow) as typeof PlainRow;

function PlainRow<Row>({
  index,
  start,
  row,
  answeredAt,
  columns,
  link,
  hrefOf,
  active,
  onActive,
}: TableRowProps<Row>) {
  return (
    <tr role="row" data-row={index} aria-rowindex={index + 2} style={{ top: start }}>
      {columns.map((column, place) => (
        <Cell key={column.id} column={column} row={row} answeredAt={answeredAt}>
          {row !== undefined && place === 0 && link !== undefined ? (
            <a
              href={hrefOf(link(row))}
              className="row-link"
              tabIndex={active ? 0 : -1}
              onFocus={() => onActive(index)}
            >
              {column.cell(row, answeredAt)}
            </a>
          ) : undefined}
        </Cell>
      ))}
    </tr>
  );
}

function HeadCell<Row>({
  column,
  sort,
  onSort,
}: {
  column: Column<Row>;
  sort: string | undefined;
  onSort: ((sort: string) => void) | undefined;
}) {
  const { title, sort: field, number = false } = column;
  if (field === undefined || onSort === undefined) {
    return (
      <th role="columnheader" scope="col" className={classOf(column)}>
        {title}
      </th>
    );
  }
  const order = sort === field ? 'ascending' : sort === `-${field}` ? 'descending' : 'none';
  const next =
    order === 'none' ? (number ? `-${field}` : field) : order === 'ascending' ? `-${field}` : field;
  return (
    <th role="columnheader" scope="col" className={classOf(column)} aria-sort={order}>
      <button type="button" className="sort" onClick={() => onSort(next)}>
        <span>{title}</span>
        <svg viewBox="0 0 8 8" aria-hidden="true" className={`sort-mark sort-${order}`}>
          <path d="M4 1 7 6H1z" />
        </svg>
      </button>
    </th>
  );
}

function Cell<Row>({
  column,
  row,
  answeredAt,
  children,
}: {
  column: Column<Row>;
  row: Row | undefined;
  answeredAt: number;
  children: ReactNode;
}) {
  return (
    <td role="cell" className={classOf(column)} title={row === undefined ? undefined : column.text?.(row)}>
      {children ?? (row === undefined ? <span className="row-pending" /> : column.cell(row, answeredAt))}
    </td>
  );
}

function classOf<Row>({ number = false, width, from }: Column<Row>): string {
  return `column-${width}${number ? ' number' : ''}${from === undefined ? '' : ` from-${from}`}`;
}

/** Of --row in theme.css, in px. */
function useRowHeight(): number {
  const [height] = useState(() => {
    const style = getComputedStyle(document.documentElement);
    return Number.parseFloat(style.getPropertyValue('--row')) * Number.parseFloat(style.fontSize);
  });
  return height;
}

/** `1,234 of 10,000`. */
export function TotalNote({ total, what }: { total: number | undefined; what: string }) {
  return total === undefined ? null : (
    <span className="quiet" aria-live="polite">
      {count(total)} {what}
    </span>
  );
}
