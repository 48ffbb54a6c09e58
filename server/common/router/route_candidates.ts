// Routes that an index cannot tell apart by the path, in their order. Where they are many and most ask for one value of the same
// header (a tenant, a version), a map of its values tells them apart.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { RouteMatch } from './route_match.ts';

/** Fewer are asked one by one faster than a map. */
const MANY = 16;

export class RouteCandidates {
  /** Ascending places of those that are asked one by one. */
  private readonly places: number[] = [];
  /** '' while there is no map. */
  private headerName = '';
  /** Ascending places of those that ask for one value of that header, by the value. */
  private byValue: Map<string, number[]> | undefined = undefined;

  /** Places must come in ascending order. `matches` holds all of them. */
  add(place: number, matches: readonly RouteMatch[]): void {
    const value = this.byValue && matches[place].exactHeader(this.headerName);
    if (value !== undefined) {
      this.addValue(value, place);
      return;
    }
    this.places.push(place);
    const { length } = this.places;
    // Looked at again each time there are twice as many, so that compiling stays linear.
    if (this.byValue === undefined && length >= MANY && (length & (length - 1)) === 0) this.divide(matches);
  }

  /** Moves those that ask for one value of a header into a map, if there is a header by which most can be told apart. */
  private divide(matches: readonly RouteMatch[]): void {
    const values = new Map<string, Set<string>>();
    for (const place of this.places) {
      for (const name of matches[place].exactHeaderNames()) {
        const set = values.get(name) ?? new Set();
        values.set(name, set.add(matches[place].exactHeader(name)!));
      }
    }
    const [best] = [...values].sort((a, b) => b[1].size - a[1].size);
    if (best === undefined || best[1].size < this.places.length / 2) return;
    this.headerName = best[0];
    this.byValue = new Map();
    for (const place of this.places.splice(0)) this.add(place, matches);
  }

  private addValue(value: string, place: number): void {
    const places = this.byValue!.get(value);
    if (places === undefined) this.byValue!.set(value, [place]);
    else places.push(place);
  }

  /** The lowest place below `best` whose route matches, or `best`. `path` as in RouteMatch.match. */
  find(
    best: number,
    matches: readonly RouteMatch[],
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): number {
    const found = firstOf(this.places, best, matches, path, headers, info, streamId);
    if (this.byValue === undefined) return found;
    return this.findByValue(this.byValue, found, matches, path, headers, info, streamId);
  }

  private findByValue(
    byValue: ReadonlyMap<string, readonly number[]>,
    best: number,
    matches: readonly RouteMatch[],
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): number {
    const name = this.headerName;
    const value = headers.get(name);
    if (value === undefined) return best;
    let found = firstOf(byValue.get(value), best, matches, path, headers, info, streamId);
    // Of a repeated header each value may match.
    const { list } = headers;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] !== name || list[i + 1] === value) continue;
      found = firstOf(byValue.get(list[i + 1]), found, matches, path, headers, info, streamId);
    }
    return found;
  }
}

function firstOf(
  places: readonly number[] | undefined,
  best: number,
  matches: readonly RouteMatch[],
  path: string,
  headers: RequestHeaderMap,
  info: StreamInfo,
  streamId: number,
): number {
  if (places === undefined) return best;
  for (let i = 0; i < places.length && places[i] < best; i++) {
    if (matches[places[i]].match(path, headers, info, streamId)) return places[i];
  }
  return best;
}
