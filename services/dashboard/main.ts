import { runService } from '../shared/process/service.ts';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';

await runService(readConfig, createApp);
