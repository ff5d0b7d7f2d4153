// Reaches into the SharedWorker, which Playwright shows nothing of, over the browser's debugging protocol.

import type { Browser, CDPSession } from '@playwright/test';
import type { Hop } from './hop.ts';

interface Reply {
  id?: number;
  error?: { message: string };
}

const isWorkerOf = (hop: Hop) => (target: { type: string; url: string }) =>
  target.type === 'shared_worker' && target.url.startsWith(hop.origin);

/** The ids of the workers that run now for the pages behind this hop. */
async function workers(session: CDPSession, hop: Hop): Promise<string[]> {
  const { targetInfos } = await session.send('Target.getTargets');
  return targetInfos.filter(isWorkerOf(hop)).map(({ targetId }) => targetId);
}

/** How many workers run for the pages behind this hop. */
export async function workerCount(browser: Browser, hop: Hop): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const found = await workers(session, hop);
  await session.detach();
  return found.length;
}

/** Runs a script in the one worker behind this hop. */
export async function inWorker(browser: Browser, hop: Hop, script: string): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  const [targetId, other] = await workers(session, hop);
  if (!targetId || other) throw new Error('expected one worker');
  const { sessionId } = await session.send('Target.attachToTarget', { targetId, flatten: false });
  const answered = new Promise<Reply>((resolve) => {
    session.on('Target.receivedMessageFromTarget', ({ message }) => {
      const reply = JSON.parse(message) as Reply;
      if (reply.id === 1) resolve(reply);
    });
  });
  const params = { expression: script };
  await session.send('Target.sendMessageToTarget', {
    sessionId,
    message: JSON.stringify({ id: 1, method: 'Runtime.evaluate', params }),
  });
  const { error } = await answered;
  await session.detach();
  if (error) throw new Error(error.message);
}
