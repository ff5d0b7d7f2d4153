// The client that the page uses: one worker holds the connection for all tabs.

export { createClient } from './worker-client';
