/** Where the package under test lies: this one, or the one that scripts/sanitize.mjs has put together over an addon with a sanitizer. */
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export const PACKAGE =
  process.env['SLUICE_TEST_PACKAGE'] ?? fileURLToPath(new URL('../../', import.meta.url));

export const MAIN = join(PACKAGE, 'dist/cli/main.js');

export const ADDONS = join(PACKAGE, 'build/Release');
