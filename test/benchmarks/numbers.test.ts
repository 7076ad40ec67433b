// Guards what the README claims in figures: each is one of a committed report, and `bench all` writes both.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { MINUTES, STEPS } from '../../benchmarks/all.js'
import { numbersText, readReports, updateNumbers } from '../../benchmarks/numbers.js'
import { BENCHES } from '../../benchmarks/registry.js'
import { makeWorkspace } from '../cli/millrace.js'

const repositoryFile = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url))
const { folder, run, remove } = makeWorkspace()
after(remove)

const between = (readme: string): string =>
  /<!-- numbers -->\n([\s\S]*?)<!-- \/numbers -->/.exec(readme)?.[1] ?? ''

test('a figure in the README that no committed report shows', () => {
  const reports = readReports(repositoryFile('benchmarks/results'))
  assert.ok(reports.some(({ bench }) => bench === 'pipeline'))
  const block = between(readFileSync(repositoryFile('README.md'), 'utf8'))
  assert.equal(block, numbersText(reports), 'rewrite it with `npm run bench:all -- --minutes 0`')
})

test('a README without its markers, or with them the wrong way round, is left alone and told', () => {
  const readme = path.join(folder, 'README.md')
  writeFileSync(readme, '<!-- /numbers -->\n<!-- numbers -->\n')
  assert.throws(() => updateNumbers(readme, folder), /has no <!-- numbers --> and <!-- \/numbers -->/)
  writeFileSync(readme, 'a\n<!-- numbers -->\nold\n<!-- /numbers -->\nb\n')
  updateNumbers(readme, path.join(folder, 'none'))
  assert.equal(readFileSync(readme, 'utf8'), 'a\n<!-- numbers -->\n<!-- /numbers -->\nb\n')
})

test('all of the benchmarks are among those that `bench all` runs, within its time', () => {
  assert.deepEqual(
    [...new Set(STEPS.map(({ words: [name] }) => name))].toSorted(),
    Object.keys(BENCHES).toSorted(),
  )
  assert.ok(STEPS.reduce((sum, { seconds }) => sum + seconds, 0) <= MINUTES * 60)
})

test('`bench all` writes results and figures, and leaves out what its time does not suffice for', async () => {
  const readme = path.join(folder, 'README.md')
  writeFileSync(readme, 'a\n<!-- numbers -->\nold\n<!-- /numbers -->\nb\n')
  const written = await run(['bench', 'all', '--quick', '--only', 'journal', '--out', 'results'])
  assert.equal(written.code, 0, written.stderr)
  assert.match(written.stdout, /^journal --rounds 3 +written +\d+$/m)
  assert.deepEqual(
    readReports(path.join(folder, 'results')).map(({ bench }) => bench),
    ['journal'],
  )
  assert.ok(existsSync(path.join(folder, 'results/journal.svg')))
  const before = readFileSync(path.join(folder, 'results/journal.json'), 'utf8')
  const late = await run(['bench', 'all', '--only', 'journal', '--out', 'results', '--minutes', '0'])
  assert.match(late.stdout, /^journal --rounds 3 +left out +\d+$/m)
  assert.equal(readFileSync(path.join(folder, 'results/journal.json'), 'utf8'), before)
  assert.doesNotMatch(readFileSync(readme, 'utf8'), /old/)
})
