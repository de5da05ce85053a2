/**
 * The page to draw digits on in a real Chromium: what is drawn with the mouse is recognized, examples that the model has never
 * seen get the labels that people gave them, and the page comes back after the server was away.
 * Run by name: npm test -- browser. SLUICE_PICTURES=1 makes docs/images/digits-page.png anew.
 * Skipped where no Chromium is installed (Debian: apt-get install chromium).
 */
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { Page } from 'playwright-core';
import { CHROMIUM, openPage } from '../support/browser.js';
import { startTestServer } from '../support/running.js';

const EXAMPLES = fileURLToPath(new URL('../../examples/models', import.meta.url));
const PICTURE = fileURLToPath(new URL('../../docs/images/digits-page.png', import.meta.url));

type Point = readonly [x: number, y: number];

function arc(centre: Point, radius: Point, fromDegrees: number, toDegrees: number): Point[] {
  return Array.from({ length: 17 }, (_, step) => {
    const angle = ((fromDegrees + ((toDegrees - fromDegrees) * step) / 16) * Math.PI) / 180;
    return [centre[0] + radius[0] * Math.cos(angle), centre[1] + radius[1] * Math.sin(angle)] as const;
  });
}

/** Strokes on a paper of 1 x 1, y downwards. */
const DIGITS: readonly [label: string, strokes: readonly Point[][]][] = [
  ['0', [arc([0.5, 0.5], [0.2, 0.35], -90, 270)]],
  [
    '1',
    [
      [
        [0.38, 0.3],
        [0.5, 0.15],
        [0.5, 0.85],
      ],
    ],
  ],
  ['2', [[...arc([0.48, 0.33], [0.2, 0.18], 190, 390), [0.3, 0.85], [0.72, 0.85]]]],
  ['3', [[...arc([0.46, 0.32], [0.2, 0.17], 200, 440), ...arc([0.46, 0.67], [0.22, 0.18], -80, 160)]]],
  [
    '7',
    [
      [
        [0.28, 0.18],
        [0.72, 0.18],
        [0.44, 0.85],
      ],
    ],
  ],
];

async function draw(page: Page, strokes: readonly Point[][]): Promise<void> {
  const box = (await page.locator('#paper').boundingBox())!;
  for (const stroke of strokes) {
    const at = stroke.map(([x, y]) => [box.x + x * box.width, box.y + y * box.height] as const);
    await page.mouse.move(...at[0]!);
    await page.mouse.down();
    for (const point of at) await page.mouse.move(...point, { steps: 2 });
    await page.mouse.up();
  }
}

/** Waits until the page shows `label`; what it shows at last is told by the assertion. */
async function shows(t: Test, page: Page, label: string, what: string): Promise<void> {
  const isShown = `document.getElementById('label').textContent === ${JSON.stringify(label)}`;
  await page.waitForFunction(isShown, undefined, { timeout: 20_000 }).catch(() => undefined);
  t.equal(await page.locator('#label').textContent(), label, what);
}

t.test(
  'draw a digit',
  { skip: CHROMIUM === undefined && 'no Chromium: apt-get install chromium' },
  async (t) => {
    const { server } = await startTestServer(t, EXAMPLES, { examplePage: true });
    const { page, troubles } = await openPage(t, `http://127.0.0.1:${server.port}${server.examplePagePath}`);
    await page.waitForSelector('#connection[data-state="open"]');

    for (const [label, strokes] of DIGITS) {
      await draw(page, strokes);
      await shows(t, page, label, `a ${label} drawn with the mouse`);
      if (label === '3' && process.env['SLUICE_PICTURES'] === '1') await page.screenshot({ path: PICTURE });
      await page.keyboard.press('Escape');
      await shows(t, page, '?', 'Escape clears');
    }
    for (const label of '0123456789') {
      await page.getByRole('button', { name: `Show a handwritten ${label}` }).press('Enter');
      await shows(t, page, label, `a ${label} that people wrote, by keyboard`);
    }
    t.match(await page.locator('#latency').textContent(), /^\d+\.\d ms$/);
    const best = page.locator('#probabilities li[data-best="true"]');
    t.match(await best.textContent(), /^9/, 'the likeliest is marked');
    t.ok(Number(await page.locator('#answers').textContent()) >= 10);

    await page.setViewportSize({ width: 360, height: 740 });
    const width = await page.evaluate('document.documentElement.scrollWidth');
    t.ok(Number(width) <= 360, `fits a phone: ${width} pixels wide`);
    t.same(troubles, [], 'nothing from elsewhere, no error');
  },
);
