import { createClient } from './lib/client';
import { show } from './lib/mount';
import './styles/index.css';

show(createClient());
