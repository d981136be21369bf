// The wrong way: asked to end, the process ends at once, with whatever it has in its hands. So does
// each Node program that does not listen for SIGTERM.
process.once('SIGTERM', () => process.exit(0));

await import('../../services/app/main.ts');
