// The address: `/` is the list of rooms, `/rooms/12` a room.

import type { Session } from './session.svelte';
import { ui } from './ui.svelte';

export const roomPath = (id: number): string => `/rooms/${id}`;

function roomOf(path: string): number | undefined {
  const match = /^\/rooms\/(\d{1,16})$/.exec(path);
  return match ? Number(match[1]) : undefined;
}

/** Opens what the address names, now and whenever it changes. Returns its end. */
export function route(session: Session): () => void {
  const show = () => session.open(roomOf(location.pathname));
  const back = () => {
    ui.engaged = true;
    show();
  };
  show();
  addEventListener('popstate', back);
  return () => removeEventListener('popstate', back);
}

/** Goes to a room by the user's own act. */
export function goTo(session: Session, id: number | undefined): void {
  const path = id === undefined ? '/' : roomPath(id);
  if (location.pathname !== path) history.pushState(null, '', path + location.search);
  ui.engaged = true;
  session.open(id);
}
