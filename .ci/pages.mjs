// Opens each page in Chromium, light and dark, narrow and wide, and fails if
// - axe-core finds a violation,
// - the page scrolls sideways,
// - the page asks for another file or address, or the browser complains about it.
//
// Usage: node .ci/pages.mjs FOLDER FILE.html…; FOLDER is where npm installed axe-core and playwright-core.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const require = createRequire(resolve(folder, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const THEMES = ["light", "dark"];
const WIDTHS = [320, 1280];

/** Returns what a tool complains about on one page. */
async function complaints(page, file) {
  const found = [];
  const own = pathToFileURL(resolve(file)).href;
  page.on("request", (it) => {
    if (it.url() !== own && !it.url().startsWith("data:")) found.push(`asks for ${it.url()}`);
  });
  page.on("console", (it) => found.push(`the browser says: ${it.text()}`));
  page.on("pageerror", (it) => found.push(`the browser says: ${it}`));
  await page.goto(own);
  const [shown, whole] = await page.evaluate(() => {
    const root = document.documentElement;
    return [root.clientWidth, Math.max(root.scrollWidth, document.body.scrollWidth)];
  });
  if (whole > shown) found.push(`scrolls sideways: ${whole} pixels in a window of ${shown}`);
  // The page's policy forbids scripts. It does not apply to what the debugger evaluates.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of violations) {
    const places = nodes.slice(0, 3).map((it) => `${it.target.join(" ")}: ${it.failureSummary.replaceAll(/\s+/g, " ")}`);
    found.push(`axe ${id}, ${nodes.length} times: ${help}\n    ${places.join("\n    ")}`);
  }
  return found;
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"], // the checks run as root
});
let opened = 0;
let wrong = 0;
for (const colorScheme of THEMES) {
  for (const width of WIDTHS) {
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
    for (const file of files) {
      const page = await context.newPage();
      const found = await complaints(page, file);
      await page.close();
      opened += 1;
      wrong += found.length;
      for (const it of found) console.log(`${file}, ${colorScheme}, ${width} pixels: ${it}`);
    }
    await context.close();
  }
}
await browser.close();
console.log(`opened ${files.length} pages ${opened} times: ${wrong} complaints`);
process.exit(wrong === 0 && opened > 0 ? 0 : 1);
