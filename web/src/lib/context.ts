// How components reach the session without passing it through each other.

import { getContext, setContext } from 'svelte';
import type { Session } from './state/session.svelte';

const KEY = Symbol('session');

export const setSession = (session: Session): Session => setContext(KEY, session);
export const getSession = (): Session => getContext<Session>(KEY);
