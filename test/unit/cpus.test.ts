/** CPUs that a process may use, by the texts of the kernel's files. */
import t from 'tap';
import { allowedCpus, cpuQuota, defaultWorkers, readCpuList, type ReadText } from '../../src/core/cpus.js';

function files(texts: Record<string, string>): ReadText {
  return (path) => texts[path];
}

const V1_LINES = '12:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/box\n';

const QUOTAS: Array<[what: string, texts: Record<string, string>, cpus: number]> = [
  ['no cgroup at all', {}, Infinity],
  ['v2 without a limit', { '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, Infinity],
  ['v2, in a container', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '250000 100000\n' }, 2.5],
  [
    'v2, the least of the groups around',
    {
      '/proc/self/cgroup': '0::/outer/inner\n',
      '/sys/fs/cgroup/outer/cpu.max': '150000 100000\n',
      '/sys/fs/cgroup/outer/inner/cpu.max': '800000 100000\n',
    },
    1.5,
  ],
  [
    'v1',
    {
      '/proc/self/cgroup': V1_LINES,
      '/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us': '50000\n',
      '/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us': '100000\n',
    },
    0.5,
  ],
  [
    'v1 in a container, where its own path is not to be seen',
    {
      '/proc/self/cgroup': V1_LINES,
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '300000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    3,
  ],
  [
    'v1 without a limit',
    {
      '/proc/self/cgroup': V1_LINES,
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    Infinity,
  ],
  ['a text that is no limit', { '/sys/fs/cgroup/cpu.max': 'much\n' }, Infinity],
];

for (const [what, texts, cpus] of QUOTAS) {
  t.test(`quota: ${what}`, (t) => {
    t.equal(cpuQuota(files(texts)), cpus);
    t.end();
  });
}

t.test('the default number of workers leaves a CPU to the event loop and is never none', (t) => {
  t.equal(defaultWorkers(8, Infinity), 7);
  t.equal(defaultWorkers(64, 2.5), 1, 'a quota of two and a half: one worker beside the loop');
  t.equal(defaultWorkers(64, 4), 3);
  t.equal(defaultWorkers(4, 16), 3, 'a quota above the mask changes nothing');
  t.equal(defaultWorkers(1, 0.2), 1);
  t.end();
});

t.test('lists of CPUs', (t) => {
  t.same(readCpuList('0-2,6,1'), [0, 1, 2, 6]);
  t.same(readCpuList('5'), [5]);
  for (const wrong of ['', 'a', '3-1', '1,', '-1', '1024', '0x1', '1.5'])
    t.equal(readCpuList(wrong), undefined, `"${wrong}"`);
  t.same(allowedCpus(files({ '/proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0,2-3\n' })), [0, 2, 3]);
  t.equal(allowedCpus(files({})), undefined);
  t.end();
});
