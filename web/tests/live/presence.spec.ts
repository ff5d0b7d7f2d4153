// Who is online, on a real hub: one comes with the first tab and goes with the last.

import { WIDE } from '../page/page.ts';
import { expect, test } from './fixtures.ts';

test('the members show who is there, and two tabs are one person', async ({ arrive }) => {
  const ada = await arrive('ada');
  await ada.page.setViewportSize(WIDE);
  const roomId = await ada.makeRoom('garden');
  const group = (name: string) => ada.page.getByRole('list', { name });
  await expect(group('Online, 1')).toContainText('ADA');

  const ben = await arrive('ben');
  await ben.joinRoom('garden');
  await expect(group('Online, 2')).toContainText('BEN');
  const second = await ben.context.newPage();
  await second.goto(`/rooms/${roomId}`);
  await ben.connected(second);
  await ben.page.close();
  await ben.say('Still here', second);
  await ada.hears('Still here');
  await expect(group('Online, 2')).toContainText('BEN');

  await second.close();
  await expect(group('Online, 1')).not.toContainText('BEN');
  await expect(group('Offline, 1')).toContainText('BEN');

  // Over a lost connection the watch is taken up again.
  ada.hop.cut();
  await ada.disconnected();
  const back = await ben.context.newPage();
  await back.goto(`/rooms/${roomId}`);
  await ben.connected(back);
  ada.hop.resume();
  await ada.connected();
  await expect(group('Online, 2')).toContainText('BEN');
});
