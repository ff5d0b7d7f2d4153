// The order of rooms in the list: unread ones first, those with mentions before the others.

import type { Room } from '../protocol/Room';

export interface RoomGroup {
  kind: 'unread' | 'rooms';
  rooms: Room[];
}

export function roomOrder(rooms: ReadonlyMap<number, Room>, currentId: number | undefined): RoomGroup[] {
  const all = [...rooms.values()].sort((a, b) => a.name.localeCompare(b.name) || a.id - b.id);
  // The open room keeps its place: nothing moves because one reads it.
  const isUnread = (room: Room) => room.unread_count > 0 && room.id !== currentId;
  const unread = all
    .filter(isUnread)
    .sort((a, b) => Number(b.mention_count > 0) - Number(a.mention_count > 0));
  const groups: RoomGroup[] = [
    { kind: 'unread', rooms: unread },
    { kind: 'rooms', rooms: all.filter((room) => !isUnread(room)) },
  ];
  return groups.filter((group) => group.kind === 'rooms' || group.rooms.length > 0);
}
