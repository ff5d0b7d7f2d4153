// What the quick switcher offers for a few letters. Pure.

import type { Room } from '../protocol/Room';
import type { RoomListing } from '../protocol/RoomListing';

export type Option =
  | { kind: 'room'; key: string; room: Room }
  | { kind: 'join'; key: string; room: RoomListing }
  | { kind: 'create' | 'browse'; key: string };

export interface Group {
  title: 'rooms' | 'others' | 'actions';
  options: Option[];
}

const ROOMS_MAX = 12;
const OTHERS_MAX = 5;

export function switcherGroups(
  wanted: string,
  rooms: Room[],
  others: RoomListing[],
  currentId: number | undefined,
): Group[] {
  const own = rooms
    .flatMap((room) => {
      const score = scoreOf(room.name, wanted);
      return score === undefined ? [] : [{ room, score }];
    })
    .sort(
      (a, b) =>
        b.score - a.score ||
        Number(a.room.id === currentId) - Number(b.room.id === currentId) ||
        Number(b.room.mention_count > 0) - Number(a.room.mention_count > 0) ||
        Number(b.room.unread_count > 0) - Number(a.room.unread_count > 0) ||
        a.room.name.localeCompare(b.room.name),
    )
    .slice(0, ROOMS_MAX)
    .map(({ room }): Option => ({ kind: 'room', key: `room ${room.id}`, room }));
  const known = new Set(rooms.map((room) => room.id));
  const join = others
    .filter((room) => !room.is_member && !known.has(room.id))
    .slice(0, OTHERS_MAX)
    .map((room): Option => ({ kind: 'join', key: `join ${room.id}`, room }));
  const actions: Option[] = [
    { kind: 'create', key: 'create' },
    { kind: 'browse', key: 'browse' },
  ];
  const groups: Group[] = [
    { title: 'rooms', options: own },
    { title: 'others', options: join },
    { title: 'actions', options: actions },
  ];
  return groups.filter((group) => group.options.length > 0);
}

/** How well `name` fits: the letters in a row at the start, in a row, or in order; else not. */
export function scoreOf(name: string, wanted: string): number | undefined {
  if (wanted === '') return 0;
  if (name.startsWith(wanted)) return 3;
  if (name.includes(wanted)) return 2;
  return places(name, wanted) ? 1 : undefined;
}

/** The name in pieces, those that were asked for marked. */
export function hits(name: string, wanted: string): { text: string; hit: boolean }[] {
  if (wanted === '') return [{ text: name, hit: false }];
  const start = name.indexOf(wanted);
  const marked = new Set(
    start >= 0 ? Array.from(wanted, (_, at) => start + at) : (places(name, wanted) ?? []),
  );
  const pieces: { text: string; hit: boolean }[] = [];
  for (const [at, letter] of Array.from(name).entries()) {
    const last = pieces.at(-1);
    const hit = marked.has(at);
    if (last?.hit === hit) last.text += letter;
    else pieces.push({ text: letter, hit });
  }
  return pieces;
}

function places(name: string, wanted: string): number[] | undefined {
  const found: number[] = [];
  for (const letter of wanted) {
    const at = name.indexOf(letter, (found.at(-1) ?? -1) + 1);
    if (at < 0) return undefined;
    found.push(at);
  }
  return found;
}
