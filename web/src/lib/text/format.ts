// Dates, times and names as people read them.

import { dayOf } from '../state/rows';
import { strings } from '../strings';

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayNear = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long' });
const dayFar = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'short' });

const DAY_MS = 86_400_000;

export const timeText = (at: number): string => time.format(at);
export const exactText = (at: number): string => exact.format(at);
export const dateText = (at: number): string => dayFar.format(at);
export const isoText = (at: number): string => new Date(at).toISOString();

/** Today, Yesterday, or the date; the year where it is not this one. */
export function dayText(at: number, now: number): string {
  if (dayOf(at) === dayOf(now)) return strings.day.today;
  if (dayOf(at) === dayOf(now - DAY_MS)) return strings.day.yesterday;
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return sameYear ? dayNear.format(at) : dayFar.format(at);
}

/** One or two letters for an avatar. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  const first = letters.map((word) => [...(word ?? '')][0] ?? '').join('');
  return (first.length === 1 ? [...name].slice(0, 2).join('') : first).toUpperCase();
}

/** One of the eight tints, by user id. */
export function tint(userId: number): number {
  return ((userId * 5) % 8) + 1;
}

/** A list as a sentence has it: "Ann", "Ann and Bo", "Ann, Bo and Cy". */
export function joined(names: string[]): string {
  if (names.length < 2) return names[0] ?? '';
  return `${names.slice(0, -1).join(', ')} ${strings.and} ${names.at(-1)}`;
}
