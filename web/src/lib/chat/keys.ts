// Keys that work wherever the focus is: switcher, next room, regions, Esc.

import { roomOrder } from '../state/order';
import { goTo } from '../state/router.svelte';
import type { Session } from '../state/session.svelte';
import { phone, ui, wide } from '../state/ui.svelte';

/** F6 goes round these; each names where the focus lands in it. */
const REGIONS = [
  ['.rail', '.room[aria-current="page"], .rail .room, .jump'],
  ['.stage', '[role=log], .stage button'],
  ['.compose', '#draft'],
  ['.details', '.details__head button'],
] as const;

export function globalKeys(session: Session, event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const command = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (command && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    ui.dialog = ui.dialog?.kind === 'switcher' ? undefined : { kind: 'switcher' };
    return;
  }
  if (ui.dialog) return;
  if (event.altKey && !event.ctrlKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
    event.preventDefault();
    step(session, event.key === 'ArrowUp' ? -1 : 1);
  } else if (event.key === 'F6') {
    event.preventDefault();
    nextRegion(event.shiftKey ? -1 : 1);
  } else if (event.key === 'Escape') {
    stepOut(event);
  }
}

function step(session: Session, by: number): void {
  const order = roomOrder(session.rooms, session.currentId).flatMap((group) => group.rooms);
  const at = order.findIndex((room) => room.id === session.currentId);
  const next = at < 0 ? order.at(by < 0 ? -1 : 0) : order[(at + by + order.length) % order.length];
  if (next) goTo(session, next.id);
}

function nextRegion(by: number): void {
  const there = REGIONS.filter(([region]) => {
    const found = document.querySelector<HTMLElement>(region);
    return found !== null && found.getClientRects().length > 0;
  });
  const at = there.findIndex(([region]) => document.activeElement?.closest(region));
  const start = at < 0 && by < 0 ? 0 : at;
  const next = there[(start + by + there.length) % there.length];
  if (next) document.querySelector<HTMLElement>(next[1])?.focus();
}

/** Closes the topmost thing that is not a dialog or a menu, which close themselves. */
function stepOut(event: KeyboardEvent): void {
  if (document.querySelector(':popover-open')) return;
  const overlay = ui.details && (!wide.current || phone.current);
  const inDetails = document.activeElement?.closest('.details');
  if (overlay || inDetails) {
    event.preventDefault();
    ui.details = false;
    document.querySelector<HTMLElement>('[data-details-button]')?.focus();
  } else if (document.activeElement?.closest('.stage')) {
    document.querySelector<HTMLElement>('#draft')?.focus();
  }
}
