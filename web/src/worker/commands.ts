// What the tabs ask for, as calls of the client core. A call that the core refuses throws.

import type { ChatClient } from '../wasm/client';
import type { Operation, Query, Signal } from './messages';
import type { Send } from './refused';

export function operate(client: ChatClient, id: string, operation: Operation): void {
  const { op } = operation;
  switch (op) {
    case 'create_room':
      return client.createRoom(id, operation.name, operation.kind === 'private', operation.topic);
    case 'update_room':
      return client.updateRoom(id, operation.room_id, operation.name, operation.topic);
    case 'join_room':
      return client.joinRoom(id, operation.room_id);
    case 'leave_room':
      return client.leaveRoom(id, operation.room_id);
    case 'edit_message':
      return client.editMessage(id, operation.room_id, operation.message_id, operation.content);
    case 'delete_message':
      return client.deleteMessage(id, operation.room_id, operation.message_id);
    case 'add_reaction':
      return client.addReaction(id, operation.room_id, operation.message_id, operation.emoji);
    case 'remove_reaction':
      return client.removeReaction(id, operation.room_id, operation.message_id, operation.emoji);
    case 'pin_message':
      return client.pinMessage(id, operation.room_id, operation.message_id);
    case 'unpin_message':
      return client.unpinMessage(id, operation.room_id, operation.message_id);
    case 'invite':
      return client.invite(id, operation.room_id, operation.username);
    case 'kick':
      return client.kickMember(id, operation.room_id, operation.user_id);
    case 'ban':
      return client.ban(id, operation.room_id, operation.user_id);
    case 'unban':
      return client.unban(id, operation.room_id, operation.user_id);
    case 'set_role':
      return client.setRole(id, operation.room_id, operation.user_id, operation.role);
  }
}

/** Gives the core's name for the request. */
export function query(client: ChatClient, asked: Query): number {
  switch (asked.query) {
    case 'history': {
      const { before, after, around, limit, pinned } = asked.range;
      return client.history(asked.room_id, before, after, around, limit, pinned ?? false);
    }
    case 'members':
      return client.listMembers(asked.room_id, asked.after);
    case 'rooms':
      return client.listRooms(asked.name, asked.after);
  }
}

export function sendMessage(client: ChatClient, send: Send): void {
  client.sendMessage(send.client_id, send.room_id, send.content, send.reply_to);
}

export function signal(client: ChatClient, said: Exclude<Signal, Send>): void {
  switch (said.signal) {
    case 'retry':
      return client.retry(said.client_id);
    case 'discard':
      return client.discard(said.client_id);
    case 'mark_read':
      return client.markRead(said.room_id, said.message_no);
    case 'typing':
      return client.typing(said.room_id);
    case 'watch_presence':
      return client.watchPresence(said.room_id);
    case 'unwatch_presence':
      return client.unwatchPresence(said.room_id);
    case 'kick':
      return client.kick(said.why);
  }
}
