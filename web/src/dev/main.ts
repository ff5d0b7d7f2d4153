// The page on the fake client: `/fake.html?fake=normal` (see Scenario), `&theme=light|dark`,
// `&room=1`. Tests reach the client as `window.fake`.

import { show } from '../lib/mount';
import { theme } from '../lib/state/theme.svelte';
import '../styles/index.css';
import { FakeClient, type Scenario } from './fake-client';

const query = new URLSearchParams(location.search);
const client = new FakeClient((query.get('fake') ?? 'normal') as Scenario);
const pageMax = Number(query.get('page'));
if (pageMax > 0) client.pageMax = pageMax;

const room = query.get('room');
history.replaceState(null, '', (room ? `/rooms/${room}` : '/') + location.search);
const wanted = query.get('theme');
const session = show(client);
if (wanted === 'light' || wanted === 'dark') theme.value = wanted;
Object.assign(window, { fake: client, session });
