import { runService } from '../shared/service.ts';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';

await runService(readConfig, createApp);
