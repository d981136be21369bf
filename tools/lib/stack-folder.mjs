// @ts-check
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The folder that holds every file of a stack is this path, followed by the name of the stack. */
export const STACK_FOLDER = join(tmpdir(), `shared-state-${process.getuid?.() ?? 0}-`);
