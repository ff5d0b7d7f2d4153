import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FromWorker, SILENCE_MAX_MS, type ToWorker } from './messages';
import { type Said, Tabs } from './tabs';

function port() {
  const told: FromWorker[] = [];
  const end = {
    onmessage: null as ((event: MessageEvent) => void) | null,
    postMessage: (message: FromWorker) => void told.push(message),
  };
  const say = (message: ToWorker) => end.onmessage?.({ data: message } as MessageEvent);
  return { end: end as unknown as MessagePort, say, told };
}

const said: Said[] = [];
const gone: string[] = [];
const tabs = () =>
  new Tabs(
    () => undefined,
    (_tab, message) => void said.push(message),
    (tab) => void gone.push(tab.name),
  );
const event: FromWorker = { type: 'event', event: { type: 'room_removed', room_id: 1 } };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  said.length = 0;
  gone.length = 0;
});

test('every attached tab is told, and none after its goodbye', () => {
  const all = tabs();
  const [one, two] = [port(), port()];
  for (const { end, say } of [one, two]) {
    all.accept(end);
    say({ type: 'attach', tab: 'x' });
  }
  all.post(event);
  one.say({ type: 'bye' });
  all.post(event);
  expect(one.told).toEqual([event]);
  expect(two.told).toEqual([event, event]);
  expect(gone).toEqual(['x']);
});

test('a silent tab is let go of, and told so at its next word', () => {
  const all = tabs();
  const [silent, alive] = [port(), port()];
  for (const { end, say } of [silent, alive]) {
    all.accept(end);
    say({ type: 'attach', tab: 'x' });
  }
  for (let passed = 0; passed < SILENCE_MAX_MS * 1.5; passed += 20_000) {
    vi.advanceTimersByTime(20_000);
    alive.say({ type: 'ping' });
  }
  all.post(event);
  expect(silent.told).toEqual([]);
  expect(alive.told.filter(({ type }) => type !== 'pong')).toEqual([event]);

  silent.say({ type: 'signal', signal: { signal: 'typing', room_id: 1 } });
  expect(silent.told).toEqual([{ type: 'gone' }]);
  expect(said).toEqual([]);
  silent.say({ type: 'attach', tab: 'x' });
  silent.say({ type: 'signal', signal: { signal: 'typing', room_id: 1 } });
  expect(said).toHaveLength(1);
});
