/**
 * A real Chromium without a window, where the machine has one. Nothing is downloaded: the browser is the system's.
 */
import { existsSync } from 'node:fs';
import type { Test } from 'tap';
import { chromium, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const CHROMIUM = [process.env['CHROMIUM'], ...PLACES].find(
  (file) => file !== undefined && existsSync(file),
);

export interface OpenPage {
  readonly page: Page;
  /** Errors of scripts, and what the page asked of other places than its own. */
  readonly troubles: string[];
}

/** A page in a browser that ends with the test. */
export async function openPage(
  t: Test,
  url: string,
  viewport = { width: 1000, height: 760 },
): Promise<OpenPage> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM!,
    // A container has no user namespaces and a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  t.teardown(() => browser.close());
  const page = await browser.newPage({ viewport });
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(message.text());
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) troubles.push(`asked ${request.url()}`);
  });
  await page.goto(url);
  return { page, troubles };
}
