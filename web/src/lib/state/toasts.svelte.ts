// Short notes at the corner of the page. Each leaves after six seconds, unless it is looked at.

export interface Toast {
  id: number;
  text: string;
  kind: 'done' | 'failed';
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 6000;
const TOASTS_MAX = 4;

let lastId = 0;
const timers = new Map<number, ReturnType<typeof setTimeout>>();

export const toasts = $state<{ list: Toast[] }>({ list: [] });

export function toast(text: string, kind: Toast['kind'] = 'done', action?: Toast['action']): void {
  lastId += 1;
  toasts.list = [...toasts.list.slice(-TOASTS_MAX + 1), { id: lastId, text, kind, action }];
  resume(lastId);
}

export function dismiss(id: number): void {
  pause(id);
  toasts.list = toasts.list.filter((shown) => shown.id !== id);
}

/** Stops the clock of a toast that is under the pointer or has the focus. */
export function pause(id: number): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
}

export function resume(id: number): void {
  pause(id);
  timers.set(
    id,
    setTimeout(() => dismiss(id), SHOWN_MS),
  );
}
