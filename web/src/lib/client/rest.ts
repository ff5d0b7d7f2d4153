// Sign up and sign in: the two requests that come before there is a client.

import type { User } from '../protocol/User';
import { strings } from '../strings';
import { RequestError, type Tokens } from './interface';

/** A hub that has not answered by then counts as out of reach. */
const TIMEOUT_MS = 20_000;

export interface Login extends Tokens {
  user: User;
}

interface Refusal {
  error?: { code?: string; message?: string; field?: string };
}

export const login = (username: string, password: string): Promise<Login> =>
  post('/api/login', { username, password });

export const register = (username: string, password: string, displayName: string): Promise<Login> =>
  post('/api/register', {
    username,
    password,
    ...(displayName.trim() === '' ? {} : { display_name: displayName }),
  });

async function post(path: string, body: Record<string, string>): Promise<Login> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => {
    throw new RequestError('unavailable', strings.auth.unreachable);
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && answer !== undefined) return answer as Login;
  const refusal = (answer as Refusal | undefined)?.error;
  if (refusal?.code === undefined) throw new RequestError('unavailable', strings.auth.unreachable);
  throw new RequestError(refusal.code, refusal.message ?? strings.errors.generic, refusal.field);
}
