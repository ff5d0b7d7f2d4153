import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type FromWorker,
  PING_MS,
  PONG_TIMEOUT_MS,
  SILENCE_MAX_MS,
  type ToWorker,
} from '../../worker/messages';
import type { ClientEvent } from '../protocol/ClientEvent';
import type { RequestError } from './interface';
import { createClient } from './worker-client';

/** The worker's end of a port, played by the test. */
class FakeWorker {
  static all: FakeWorker[] = [];
  said: ToWorker[] = [];
  closed = false;
  onerror: (() => void) | null = null;
  readonly port = {
    onmessage: null as ((event: { data: FromWorker }) => void) | null,
    postMessage: (message: ToWorker) => void this.said.push(message),
    close: () => {
      this.closed = true;
    },
  };

  constructor() {
    FakeWorker.all.push(this);
  }

  tell(message: FromWorker): void {
    this.port.onmessage?.({ data: message });
  }

  /** What was said since the last time. */
  heard(): ToWorker[] {
    return this.said.splice(0);
  }
}

const worker = (): FakeWorker => {
  const last = FakeWorker.all.at(-1);
  if (!last) throw new Error('no worker');
  return last;
};

const room = { id: 7, head_seq: 40 } as Extract<ClientEvent, { type: 'ready' }>['rooms'][number];
const ready = { type: 'ready', rooms: [room] } as ClientEvent;
const reset: ClientEvent = { type: 'room_reset', room_id: 7, head_seq: 40 };

function snapshot(continues: boolean, events: ClientEvent[] = []): void {
  const asked = worker()
    .heard()
    .findLast((message) => message.type === 'snapshot');
  if (asked?.type !== 'snapshot') throw new Error('no snapshot was asked for');
  worker().tell({ type: 'snapshot', listener: asked.listener, events, continues });
}

/** Answers the last `start`. */
async function started(signed_in = true): Promise<void> {
  const call = worker().said.findLast((message) => message.type === 'call' && message.call.call === 'start');
  if (call?.type !== 'call') throw new Error('nothing was started');
  worker().tell({ type: 'result', id: call.id, answer: { answer: 'started', signed_in } });
  await vi.advanceTimersByTimeAsync(0);
}

/** A client that is signed in and was told its rooms; gives what its listener hears from then on. */
async function signedIn() {
  const client = createClient();
  const events: ClientEvent[] = [];
  client.subscribe((event) => void events.push(event));
  void client.start();
  await started();
  snapshot(false, [ready]);
  worker().tell({ type: 'pong' });
  expect(events.splice(0)).toEqual([ready]);
  return { client, events };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  FakeWorker.all = [];
  const listen = () => undefined;
  vi.stubGlobal('SharedWorker', FakeWorker);
  vi.stubGlobal('addEventListener', listen);
  vi.stubGlobal('document', { addEventListener: listen });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test('what a worker did not answer is said again, under the same names, to the one that replaces it', async () => {
  const { client, events } = await signedIn();
  const done = client.joinRoom(7);
  const kept = client.sendMessage(7, 'kept');
  const lost = client.sendMessage(7, 'lost');
  worker().tell({
    type: 'event',
    event: { type: 'message_pending', message: { client_id: kept } } as ClientEvent,
  });
  const [call] = worker()
    .heard()
    .filter((message) => message.type === 'call');
  worker().tell({ type: 'crashed', message: 'unreachable' });
  await vi.advanceTimersByTimeAsync(1_000);

  expect(FakeWorker.all).toHaveLength(2);
  expect(worker().said.map(({ type }) => type)).toEqual(['attach', 'call']);
  await started();
  const said = worker().heard();
  expect(said.filter((message) => message.type === 'call')).toContainEqual(call);
  const sends = said.filter((message) => message.type === 'signal').map(({ signal }) => signal);
  expect(sends).toEqual([{ signal: 'send_message', client_id: lost, room_id: 7, content: 'lost' }]);

  worker().tell({
    type: 'result',
    id: (call as { id: number }).id,
    answer: { answer: 'done', room_id: 7 },
  });
  await expect(done).resolves.toBeUndefined();
  expect(events.map(({ type }) => type)).toEqual(['message_pending']);
});

test('rooms go on after a worker was replaced that told everything, and begin anew otherwise', async () => {
  const { events } = await signedIn();
  for (const [continues, expected] of [
    [true, [ready]],
    [false, [ready, reset]],
  ] as const) {
    worker().tell({ type: 'crashed', message: 'unreachable' });
    await vi.advanceTimersByTimeAsync(30_000);
    await started();
    snapshot(continues);
    worker().tell({ type: 'event', event: ready });
    expect(events.splice(0)).toEqual(expected);
  }
});

test('a tab that the worker let go of attaches again and loads its rooms anew', async () => {
  const { events } = await signedIn();
  worker().tell({ type: 'gone' });
  expect(worker().said.at(-2)?.type).toBe('attach');
  await started();
  snapshot(true, [ready]);
  expect(events).toEqual([ready, reset]);
  expect(FakeWorker.all).toHaveLength(1);
});

test('a worker that does not answer is replaced, and its tab counts as having missed something', async () => {
  await signedIn();
  const silent = worker();
  await vi.advanceTimersByTimeAsync(PING_MS);
  expect(silent.heard().at(-1)).toEqual({ type: 'ping' });
  await vi.advanceTimersByTimeAsync(PING_MS + PONG_TIMEOUT_MS);
  expect(silent.closed).toBe(true);
  expect(worker()).not.toBe(silent);
  expect(worker().said).toContainEqual(expect.objectContaining({ call: { call: 'start', resume: true } }));
});

test('a tab that slept for long does not rely on what a dead worker told', async () => {
  await signedIn();
  vi.setSystemTime(Date.now() + SILENCE_MAX_MS);
  await vi.advanceTimersByTimeAsync(SILENCE_MAX_MS);
  expect(worker().said).toContainEqual(expect.objectContaining({ call: { call: 'start', resume: false } }));
});

test('a login that ended while there was no worker ends for the page', async () => {
  const { client, events } = await signedIn();
  const waiting = client.leaveRoom(7).catch((error: RequestError) => error.code);
  worker().tell({ type: 'crashed', message: 'unreachable' });
  await vi.advanceTimersByTimeAsync(1_000);
  await started(false);
  expect(events).toEqual([{ type: 'connection', connection: { state: 'ended', reason: 'signed_out' } }]);
  await expect(waiting).resolves.toBe('unauthorized');
});

test('a call that nobody answers fails', async () => {
  const { client } = await signedIn();
  const waiting = client.members(7).catch((error: RequestError) => error.code);
  for (let passed = 0; passed < 60_000; passed += PING_MS) {
    await vi.advanceTimersByTimeAsync(PING_MS);
    worker().tell({ type: 'pong' });
  }
  await expect(waiting).resolves.toBe('unavailable');
  expect(FakeWorker.all).toHaveLength(1);
});

test('a room whose presence is shown is watched once, and again by the worker that replaces another', async () => {
  const { client } = await signedIn();
  const watching = () =>
    worker()
      .heard()
      .filter((message) => message.type === 'signal')
      .map(({ signal }) => signal);
  client.watchPresence(7);
  client.watchPresence(7);
  client.unwatchPresence(7);
  client.unwatchPresence(8);
  const watch = { signal: 'watch_presence', room_id: 7 };
  expect(watching()).toEqual([watch, watch]);
  worker().tell({ type: 'crashed', message: 'unreachable' });
  await vi.advanceTimersByTimeAsync(1_000);
  await started();
  expect(watching()).toEqual([watch]);
  client.unwatchPresence(7);
  expect(watching()).toEqual([{ signal: 'unwatch_presence', room_id: 7 }]);
});
