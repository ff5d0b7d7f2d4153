// What one may do with a message, and doing it.

import type { Message } from '../protocol/Message';
import type { Room } from '../protocol/Room';
import { attempt } from '../state/attempt';
import type { RoomState } from '../state/room.svelte';
import type { Session } from '../state/session.svelte';
import { toast } from '../state/toasts.svelte';
import { ui } from '../state/ui.svelte';
import { strings } from '../strings';

export const QUICK_EMOJI = ['✅', '❤️', '🎉', '👀', '👍'];

const moderates = (room: Room) => room.role !== 'member';

export const mayEdit = (session: Session, message: Message) => message.user_id === session.me;
export const mayDelete = (session: Session, room: Room, message: Message) =>
  message.user_id === session.me || moderates(room);
export const mayPin = (room: Room) => moderates(room);

export function toggleReaction(session: Session, message: Message, emoji: string): void {
  const mine = message.reactions?.some((one) => one.emoji === emoji && one.user_ids.includes(session.me));
  const { room_id, message_id } = message;
  void attempt(
    mine
      ? session.client.removeReaction(room_id, message_id, emoji)
      : session.client.addReaction(room_id, message_id, emoji),
  );
}

export function togglePin(session: Session, loaded: RoomState, message: Message): Promise<boolean> {
  const { room_id, message_id } = message;
  const pinned = message.pinned_at !== undefined || loaded.timeline.pinned?.has(message.message_no);
  return attempt(
    pinned
      ? session.client.unpinMessage(room_id, message_id)
      : session.client.pinMessage(room_id, message_id),
  );
}

export function confirmDelete(session: Session, message: Message): void {
  ui.dialog = {
    kind: 'confirm',
    title: strings.actions.deleteTitle,
    text: strings.actions.deleteText,
    action: strings.actions.remove,
    run: () => session.client.deleteMessage(message.room_id, message.message_id),
  };
}

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(strings.toast.copied);
  } catch {
    toast(strings.toast.copyFailed, 'failed');
  }
}
