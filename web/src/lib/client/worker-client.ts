// Where the client core's worker is reached from the page.

import type { ChatClient } from './interface';

export function createClient(): ChatClient {
  throw new Error('the client core is not part of this build');
}
