import { servePipeline } from './pipeline-app.ts';

await servePipeline();
