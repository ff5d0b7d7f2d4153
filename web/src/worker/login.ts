// The login's tokens: kept, refreshed, ended. A refresh token is good for one exchange, and using
// it twice ends the login, so only one worker of this browser exchanges at a time, and the next
// token is durable before anyone uses it.

import type { Tokens } from '../lib/client/interface';
import type { Login, Store } from './store';

const REQUEST_TIMEOUT_MS = 15_000;
/** A token that another worker got is used if it lasts at least this long. */
const TOKEN_LEFT_MIN_MS = 30_000;
const LOCK = 'hubbub-login';

export type Refreshed =
  | { outcome: 'refreshed'; login: Login }
  /** The login is over: sign in again. */
  | { outcome: 'ended' }
  /** The hub could not be asked; ask again later. */
  | { outcome: 'unavailable' };

/** A login from what `/api/login` and `/api/refresh` answer. */
export function loginOf(tokens: Tokens): Login {
  return {
    sub: subject(tokens.access_token),
    access_token: tokens.access_token,
    refresh_token: tokens.refresh_token,
    expires_at: Date.now() + tokens.expires_in * 1000,
  };
}

/** Exchanges the kept refresh token, unless another worker did so since `used` was current. */
export function refresh(store: Store, used: Login): Promise<Refreshed> {
  return exclusively(async () => {
    const kept = await store.login();
    if (!kept || kept.sub !== used.sub) return { outcome: 'ended' };
    const renewed = kept.access_token !== used.access_token;
    if (renewed && kept.expires_at - Date.now() > TOKEN_LEFT_MIN_MS) {
      return { outcome: 'refreshed', login: kept };
    }
    return exchange(store, kept);
  });
}

async function exchange(store: Store, kept: Login): Promise<Refreshed> {
  const answer = await post('/api/refresh', { refresh_token: kept.refresh_token }).catch(() => undefined);
  if (answer?.status === 400 || answer?.status === 401 || answer?.status === 403) {
    await store.deleteLogin();
    return { outcome: 'ended' };
  }
  const tokens: Tokens | undefined = answer?.ok ? await answer.json().catch(() => undefined) : undefined;
  if (!tokens) return { outcome: 'unavailable' };
  const login = { ...loginOf(tokens), sub: kept.sub };
  await store.putLogin(login);
  return { outcome: 'refreshed', login };
}

/** Ends the login on the hub, as far as it can be reached. */
export async function revoke(login: Login): Promise<void> {
  const body = { refresh_token: login.refresh_token };
  await post('/api/logout', body, login.access_token).catch((error: unknown) =>
    console.warn('failed to end the login on the hub; it ends there by itself', error),
  );
}

function post(path: string, body: object, accessToken?: string): Promise<Response> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (accessToken) headers.authorization = `Bearer ${accessToken}`;
  return fetch(path, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
    credentials: 'omit',
    cache: 'no-store',
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
}

/** Web Locks need a secure context; without one the hub's grace for a repeated exchange must do. */
function exclusively<T>(task: () => Promise<T>): Promise<T> {
  const locks: LockManager | undefined = navigator.locks;
  return locks ? locks.request(LOCK, task) : task();
}

/** The token's `sub` claim, which names the user. It is not verified here: the hub does that. */
function subject(token: string): string {
  const claims = token.split('.')[1] ?? '';
  const bytes = atob(claims.replaceAll('-', '+').replaceAll('_', '/'));
  const json = new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
  const sub: unknown = JSON.parse(json).sub;
  if (typeof sub !== 'string' || sub === '') throw new Error('access token names no user');
  return sub;
}
