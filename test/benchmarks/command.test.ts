// Guards `millrace bench`: the list, the help, one-line errors, the generator, and one benchmark from end to end.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { benchMain } from '../../benchmarks/main.js'
import type { Report } from '../../benchmarks/harness/report.js'
import { BENCHES } from '../../benchmarks/registry.js'
import { MillraceError } from '../../protocol/errors.js'
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
    [
      ['bench', 'generate', '--root', '/proc/x'],
      /^millrace: --root: \/proc\/x can not be written \(ENOENT\)/,
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

/** In this process: refused before anything is measured or written. */
async function demandRefusal(words: string, message: RegExp): Promise<void> {
  const args = words.split(' ').map((word) => word.replace('@', `${folder}/`))
  await assert.rejects(benchMain(args), (error) => {
    assert.ok(error instanceof MillraceError && error.code.startsWith('usage.'), `${words}: ${String(error)}`)
    assert.match(error.message, message, words)
    return true
  })
}

test('a value that generate cannot mean is refused, and nothing is written', async () => {
  const values = [
    '--rate Infinity',
    '--records 1.5',
    '--pods 1.5',
    '--pods 1e9',
    '--seed 1e400',
    '--namespace ../../etc',
    '--partials 5',
    '--texts 7',
  ]
  for (const value of values) {
    const [option, given] = value.split(' ')
    await demandRefusal(
      `generate --root @refused ${value}`,
      new RegExp(`^${option}: got "${given}", expected `),
    )
  }
  await demandRefusal('generate --root @refused --texts 0.6 --partials 0.6', /at most 1 together/)
  assert.equal(existsSync(path.join(folder, 'refused')), false)
  await demandRefusal(
    'generate --root @large --services 10000 --bytes 1MB',
    /^records of 10000 services would take \d+ MB of memory/,
  )
  await demandRefusal(
    'generate --root /dev/null/x',
    /^--root: \/dev\/null\/x can not be written \((?:ENOTDIR|EEXIST)\)/,
  )
})

test('a name that every object has is no benchmark', async () => {
  for (const name of ['constructor', 'toString', '__proto__']) {
    await demandRefusal(name, new RegExp(`^bench: there is no "${name}"; there are kernel, `))
    await demandRefusal(`check --only kernel,${name}`, new RegExp(`^--only: there is no "${name}"`))
    await demandRefusal(`all --only kernel,${name}`, new RegExp(`^--only: there is no "${name}"`))
  }
})

test('where a report cannot go is told before it is measured', async () => {
  writeFileSync(path.join(folder, 'c.yaml'), 'no: folder\n')
  writeFileSync(path.join(folder, 'ratios.json'), '{"benches":[1]}')
  await demandRefusal('kernel --quick --out @c.yaml', /^--out: .*c\.yaml can not be written \(EEXIST\)/)
  await demandRefusal('all --quick --out @c.yaml/x', /^--out: .*x can not be written \((?:ENOTDIR|EEXIST)\)/)
  await demandRefusal('all --quick --out @r --readme @c.yaml', /c\.yaml has no <!-- numbers -->/)
  await demandRefusal('all --quick --out @r --readme @none.md', /none\.md can not be read \(ENOENT\)/)
  await demandRefusal('check --update --file @none/x.json', /x\.json can not be written \(ENOENT\)/)
  await demandRefusal(
    'check --file @ratios.json',
    /ratios\.json is no file of ratios \(at: .*\); write it anew/,
  )
  await demandRefusal('check --file @c.yaml', /c\.yaml is no file of ratios \(no JSON\); write it anew/)
})

test('a run that would measure nothing is refused', async () => {
  await demandRefusal('all --only nope', /^--only: there is no "nope"; there are pipeline, /)
  await demandRefusal('latency --quick --rates 0', /^--rates: got "0", expected a number of at least 1$/)
  await demandRefusal('peers --quick --only zzz', /^--only: no peer's name holds "zzz"; there are Vector/)
  await demandRefusal('soak --quick --for 0s', /^--for: got "0s", expected a duration of more than none/)
  await demandRefusal('overload --quick --manner x', /^--manner: got "x", expected slow or refuse/)
  await demandRefusal(
    'kernel --quick --rounds 1.5',
    /^--rounds: got "1\.5", expected a whole number of at least 1$/,
  )
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

test('the load lasts until all reloads are done', async () => {
  const args = ['--quick', '--reloads', '120', '--idle-reloads', '1', '--json']
  const { code, stdout, stderr } = await run(['bench', 'reload', ...args])
  assert.equal(code, 0, stderr)
  const report = JSON.parse(stdout) as Report
  const loaded = report.cases.find(({ name }) => name.startsWith('under full load'))
  assert.equal(loaded?.metrics['reloads']?.median, 120)
  assert.deepEqual(
    report.notes.filter((note) => note.includes('ended early')),
    [],
  )
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
