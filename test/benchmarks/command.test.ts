// Guards `millrace bench`: the list, the help, one-line errors, the generator, and one benchmark from end to end.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import type { Report } from '../../benchmarks/harness/report.js'
import { BENCHES } from '../../benchmarks/registry.js'
import { makeWorkspace } from '../cli/millrace.js'

const { folder, run, remove } = makeWorkspace()
after(remove)

test('without a name it lists every benchmark, and each explains its options', async () => {
  const list = await run(['bench'])
  assert.deepEqual([list.code, list.stderr], [0, ''])
  for (const name of Object.keys(BENCHES)) assert.match(list.stdout, new RegExp(`^  ${name} +\\S`, 'm'))
  for (const [name, load] of Object.entries(BENCHES)) {
    const bench = await load()
    assert.equal(bench.name, name)
    for (const key of bench.ratios)
      assert.ok(
        bench.metrics.some((metric) => metric.key === key),
        `${name} ${key}`,
      )
  }
  const help = await run(['bench', 'pipeline', '--help'])
  assert.equal(help.code, 0)
  assert.match(
    help.stdout,
    /^ {2}--records <n> +records in the corpus \(default 1000000, with --quick 100000\)$/m,
  )
})

test('bad usage is one line and exit code 2', async () => {
  const cases: readonly [string[], RegExp][] = [
    [['bench', 'speed'], /^millrace: bench: there is no "speed"; there are kernel, /],
    [['bench', 'kernel', '--megabites', '3'], /^millrace: bench kernel: Unknown option '--megabites'/],
    [['bench', 'generate'], /^millrace: bench generate needs --root: /],
    [['bench', 'generate', '--root', 'x', '--mix', 'loud=1'], /^millrace: --mix: "loud=1"/],
    [
      ['bench', 'generate', '--root', 'x', '--for', 'ever'],
      /^millrace: --for: got "ever", expected a duration/,
    ],
    [['bench', 'check', '--file', 'none.json'], /^millrace: none\.json does not exist; write it with/],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => run(args)))
  outcomes.forEach(({ code, stderr, stdout }, n) => {
    const [args, message] = cases[n] as [string[], RegExp]
    assert.match(stderr, message, args.join(' '))
    assert.deepEqual([code, stdout, stderr.split('\n').length], [2, '', 2], args.join(' '))
  })
})

test('generate writes what it says, as JSON too', async () => {
  const args = ['--records', '5000', '--pods', '3', '--mix', 'info=9,error=1', '--json']
  const { code, stdout, stderr } = await run(['bench', 'generate', '--root', 'logs', ...args])
  assert.deepEqual([code, stderr], [0, ''])
  const counts = JSON.parse(stdout) as { records: number; bytes: number; levels: Record<string, number> }
  const root = path.join(folder, 'logs')
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const texts = files.map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
  assert.equal(texts.length, 3)
  assert.equal(
    texts.reduce((sum, text) => sum + text.split('\n').length - 1, 0),
    counts.records,
  )
  assert.equal(
    texts.reduce((sum, text) => sum + text.length, 0),
    counts.bytes,
  )
  assert.deepEqual(Object.keys(counts.levels).toSorted(), ['ERROR', 'INFO'])
})

test('the pipeline from end to end: every record in both sinks, and a report with its plot', async () => {
  const args = ['--quick', '--records', '3000', '--out', 'results', '--json']
  const { code, stdout, stderr } = await run(['bench', 'pipeline', ...args])
  assert.equal(code, 0, stderr)
  const report = JSON.parse(stdout) as Report
  const own = report.cases.find(({ role }) => role === 'measured')
  assert.equal(own?.metrics['keptPercent']?.median, 100)
  assert.equal(own?.ratios['recordsPerCpuSecond']?.values.length, 1)
  assert.equal(report.options['records'], '3000')
  const results = path.join(folder, 'results')
  assert.deepEqual(JSON.parse(readFileSync(path.join(results, 'pipeline.json'), 'utf8')), report)
  assert.match(readFileSync(path.join(results, 'pipeline.svg'), 'utf8'), /<\/svg>\n$/)
})
