// The hub's REST API, as a second witness of what a room holds.

import { expect } from '@playwright/test';
import type { Message } from '../../src/lib/protocol/Message';
import type { MessagePage } from '../../src/lib/protocol/MessagePage';
import type { Front } from './hub.ts';
import { PASSWORD } from './person.ts';

const PAGE = 100;

export class Api {
  private constructor(
    readonly origin: string,
    readonly token: string,
  ) {}

  static async signIn(hub: Front, username: string): Promise<Api> {
    const origin = `http://127.0.0.1:${hub.port}`;
    const answer = await fetch(`${origin}/api/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password: PASSWORD }),
    });
    expect(answer.ok, 'signed in').toBe(true);
    return new Api(origin, ((await answer.json()) as { access_token: string }).access_token);
  }

  /** All messages of a room, in order. */
  async messages(roomId: number): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const after = messages.at(-1)?.message_no ?? 0;
      const path = `/api/rooms/${roomId}/messages?after=${after}&limit=${PAGE}`;
      const page = (await this.#ask('GET', path)) as MessagePage;
      messages.push(...page.messages);
      if (!page.more_after) return messages;
    }
  }

  async say(roomId: number, content: string): Promise<void> {
    await this.#ask('POST', `/api/rooms/${roomId}/messages`, { client_id: crypto.randomUUID(), content });
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(this.origin + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: body ? JSON.stringify(body) : null,
    });
    expect(answer.ok, `${method} ${path}`).toBe(true);
    return answer.json();
  }
}
