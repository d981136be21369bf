// The wrong way: exit on SIGTERM at once, with requests in progress. A Node program that does not
// listen for SIGTERM does the same.
process.once('SIGTERM', () => process.exit(0));

await import('../../services/app/main.ts');
