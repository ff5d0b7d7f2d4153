import { expect, test } from 'vitest';
import { Tab } from './tabs';
import { Watches } from './watches';

const tab = (name: string) => new Tab(name, { postMessage: () => undefined });

test('a room is watched as long as any tab watches it', () => {
  const watches = new Watches();
  const [one, two] = [tab('one'), tab('two')];
  watches.watch(one, 7);
  watches.watch(one, 7);
  watches.watch(two, 7);
  expect(watches.unwatch(one, 7)).toBe(false);
  expect(watches.unwatch(one, 7)).toBe(false);
  expect(watches.unwatch(two, 7)).toBe(true);
  expect(watches.unwatch(two, 7)).toBe(false);
});

test('a tab that is gone watches nothing', () => {
  const watches = new Watches();
  const [one, two] = [tab('one'), tab('two')];
  for (const roomId of [7, 8, 9]) watches.watch(one, roomId);
  watches.watch(two, 8);
  expect(watches.forget(one)).toEqual([7, 9]);
  expect(watches.forget(one)).toEqual([]);
  expect(watches.forget(two)).toEqual([8]);
});
