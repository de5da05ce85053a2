/** The folder of private copies where the system knows less of the user than usual. */
import t from 'tap';
import * as os from 'node:os';

t.test('a user that the system has no name for has a folder, too', async (t) => {
  const { defaultPrivateBase } = await t.mockImport<typeof import('../../src/models/private-folder.js')>(
    '../../src/models/private-folder.js',
    {
      'node:os': {
        ...os,
        userInfo: () => {
          throw new Error('uv_os_get_passwd returned ENOENT');
        },
      },
    },
  );
  t.match(defaultPrivateBase(), new RegExp(`/sluice-${process.geteuid?.()}$`));
});
