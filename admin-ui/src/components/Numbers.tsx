// Numbers that are looked at first, side by side.

export interface KeyNumber {
  readonly name: string;
  readonly value: string;
  readonly note?: string;
  readonly tone?: 'warn' | 'bad';
}

export function Numbers({ items }: { items: readonly KeyNumber[] }) {
  return (
    <dl className="numbers">
      {items.map(({ name, value, note, tone = '' }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className={`numbers-value ${tone}`}>{value}</dd>
          {note !== undefined && <dd className="quiet">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}
