// node-redis makes an AbortSignal.timeout() for each command by default; without one there is none.
import { servePipeline } from './pipeline-app.ts';

await servePipeline({ commandOptions: { timeout: 0 } });
