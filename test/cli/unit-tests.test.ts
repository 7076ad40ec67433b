// Guards `millrace test`: every reason for a verdict can be reached and named, differences are told field by field, bad files with their place.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compareTest } from '../../cli/test/compare.js'
import { readTests } from '../../cli/test/file.js'
import { judgeTest, type TestOutcome } from '../../cli/test/verdicts.js'
import { keepsTrace } from '../../protocol/sampling/consistent.js'
import { parseConfig } from '../../runtime/config/load.js'
import { makeWorkspace } from './millrace.js'

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-tests-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const CONFIG = `
sources:
  pods: { type: kubernetes, path: ./pods, labels_allow: [env], multiline: { start: '^\\S' } }
  app: { type: file, include: [logs/*.log], fields: { service_name: cart, namespace: shop } }
sampling:
  info: { target_per_second: 100, floor: 0.001, services: { payment-api: 0.1 } }
  metric: 0.25
  debug_services: [shop/search]
  rules:
    - { name: incident, when: "error_rate > 0.05 AND p99_latency > 200ms", for: 30s }
    - { name: bad-gateway, when: "status_code IN [502, 504]", weight: 2 }
    - { name: slow, when: "p50_latency >= 2s", keep: 0.75, weight: 3 }
backends: { vault: { type: archive, path: ./archive } }
`
const { config } = parseConfig(CONFIG, path.join(folder, 'millrace.yaml'), {})

let files = 0
function testsOf(yaml: string) {
  const file = path.join(folder, `${files++}.yaml`)
  writeFileSync(file, yaml)
  return readTests(file)
}

function outcomeOf(yaml: string): TestOutcome {
  const [block] = testsOf(
    'tests:\n  - name: x\n    input:\n      - |\n        a\n      - b\n    expect: {}\n',
  )
  assert.deepEqual(block?.test.input, ['a', 'b'])
  const [placed] = testsOf(`tests:\n  - name: t\n    expect: { kept: true }\n${yaml.replace(/^/gm, '    ')}`)
  return judgeTest(config, placed as NonNullable<typeof placed>)
}

function verdictsOf(yaml: string): string[] {
  return outcomeOf(yaml).verdicts.map(({ why, rate }) => `${why} ${Number(rate.toPrecision(6))}`)
}

test('every reason for a verdict is reached by the real chain', () => {
  const lines = (...more: readonly string[]) => `input:\n${more.map((line) => `  - '${line}'`).join('\n')}`
  const app = 'source: app'
  assert.deepEqual(
    verdictsOf(
      `${app}\n${lines(
        '{"level":"fatal"}',
        '{"level":"warn"}',
        '{"level":"debug"}',
        '{"level":"debug","log_type":"audit"}',
        '{"level":"error","log_type":"metric"}',
        '{"level":"trace","service_name":"search"}',
        '{"level":"info","service_name":"payment-api"}',
        '{"level":"info"}',
        'just text',
        '{"level":"debug","status":502}',
      )}`,
    ),
    [
      'tier 1',
      'tier 0.5',
      'tier 0',
      'audit 1',
      'metric 0.25',
      'debug_service 1',
      'info_fixed 0.1',
      'info_live 1',
      'info_live 1',
      'rule:bad-gateway 1',
    ],
  )
  const two = lines('{"level":"info"}', '{"level":"info","service_name":"other"}')
  assert.deepEqual(verdictsOf(`${app}\ntraffic: { shop/cart: { qps: 5000 }, '*': { qps: 1e9 } }\n${two}`), [
    'info_live 0.02',
    'info_live 0.001',
  ])
  assert.deepEqual(
    verdictsOf(`${app}\nboosts: [{ service: cart }]\ntraffic: { other: { qps: 200 } }\n${two}`),
    ['boost 1', 'info_live 0.5'],
  )
})

test('figures of a window reach the rules exactly, and those of before hold for `for`', () => {
  const decided = (traffic: string) =>
    verdictsOf(`source: app\ntraffic: { cart: { qps: 1000, ${traffic} } }\ninput: '{"level":"info"}'`)[0]
  assert.equal(decided('error_rate: 0.06, p99: 201ms'), 'rule:incident 1')
  assert.equal(decided('error_rate: 0.06, p99: 200ms'), 'info_live 0.1')
  assert.equal(decided('error_rate: 0.05, p99: 300ms'), 'info_live 0.1')
  assert.equal(decided('p50: 2s'), 'rule:slow 0.75')
  const was = (ago: string) =>
    decided(`error_rate: 0, p99: 1ms, before: { ago: ${ago}, error_rate: 0.5, p99: 1s }`)
  assert.deepEqual([was('29s'), was('31s')], ['rule:incident 1', 'info_live 0.1'])
})

test('a trace decides as consistent sampling says, a record without one by chance', () => {
  const ids = Array.from({ length: 40 }, (_, n) =>
    (0x9e3779b97f4a7c15n * BigInt(n + 1)).toString(16).padStart(32, '0').slice(-32),
  )
  const input = ids.map((id) => `  - '{"level":"warn","trace_id":"${id}"}'`).join('\n')
  const none = ['', ',"trace_id":""', `,"trace_id":"${'0'.repeat(32)}"`]
  const without = none.map((trace) => `  - '{"level":"warn"${trace}}'`).join('\n')
  const { verdicts } = outcomeOf(`source: app\ninput:\n${input}\n${without}`)
  assert.deepEqual(
    verdicts.slice(0, ids.length).map(({ kept }) => kept),
    ids.map((id) => keepsTrace(id, 0.5)),
  )
  assert.deepEqual(
    verdicts.map(({ byChance }) => byChance),
    [...ids.map(() => false), ...none.map(() => true)],
  )
})

test('the record is as the backends get it, also one that is not kept; a container has its identity', () => {
  const { verdicts } =
    outcomeOf(`source: { name: pods, namespace: shop, pod: cart-7d9f8b6c5-x2x4z, container: main, labels: { env: prod, x: y } }
at: 2026-11-23T10:00:00Z
input: |
  {"level":"debug","msg":"deep","namespace":"not-mine"}
  Error: boom
    at pay.go:1`)
  assert.equal(verdicts.length, 2)
  assert.deepEqual(verdicts[0]?.record, {
    timestamp: '2026-11-23T10:00:00.000000000Z',
    log_level: 'DEBUG',
    service_name: 'cart',
    pod_uid: 'uid-0',
    namespace: 'shop',
    cluster_id: 'local',
    log_type: 'app',
    pod_name: 'cart-7d9f8b6c5-x2x4z',
    container_name: 'main',
    node_name: 'local',
    stream: 'stdout',
    'kubernetes.labels.env': 'prod',
    message: 'deep',
  })
  assert.equal(verdicts[1]?.record['message'], 'Error: boom\n  at pay.go:1')
  const { verdicts: rated } = outcomeOf(`source: app\ninput: '{"level":"warn"}'`)
  assert.equal(rated[0]?.record['sample_rate'], 0.5)
})

test('what differs is told for each record and field, and a name in traffic that nothing has', () => {
  const [placed] = testsOf(`
tests:
  - name: all wrong
    source: app
    traffic: { crat: { qps: 1 } }
    input: |
      {"level":"error","order":{"id":7,"n":1}}
      {"level":"warn"}
    expect:
      - { kept: false, why: boost, rate: 0.5, fields: { order: { id: 8 }, gone: 1 }, without: [log_type] }
      - { kept: true }
`)
  assert.ok(placed !== undefined)
  const found = compareTest(placed, judgeTest(config, placed)).map(
    ({ record, field, expected, got }) => `${record ?? '-'} ${field}: ${expected} | ${got}`,
  )
  assert.deepEqual(found, [
    '- traffic.crat: a service of this test | shop/cart',
    '1 kept: false | true (tier, rate 1)',
    '1 why: boost | tier',
    '1 rate: 0.5 | 1',
    '1 fields.order.id: 8 | 7',
    '1 fields.gone: 1 | absent',
    '1 without.log_type: absent | "app"',
    '2 kept: true | kept by chance, at a rate of 0.5; expect `rate`, or give the line a trace_id',
  ])
})

test('a rate that is shown the same is the same', () => {
  const [placed] = testsOf(
    `tests:\n  - name: t\n    source: app\n    input: ['{"level":"warn"}']\n    expect: [{ rate: 0.3333333 }]`,
  )
  assert.ok(placed !== undefined)
  const got = { why: 'tier', kept: true, byChance: true, record: {} } as const
  const compared = (rate: number) =>
    compareTest(placed, { verdicts: [{ ...got, rate: Math.fround(rate) }], unmet: [], services: [] })
  assert.deepEqual(compared(1 / 3), [])
  assert.equal(compared(0.33334).length, 1)
})

test('another number of records, a record too many fields, and one expectation for all', () => {
  const compared = (more: string) => {
    const [placed] = testsOf(
      `tests:\n  - name: t\n    source: app\n    input: ['{"level":"error"}', '{"level":"fatal"}']\n    ${more}`,
    )
    assert.ok(placed !== undefined)
    return compareTest(placed, judgeTest(config, placed)).map(
      ({ field, expected, got }) => `${field} ${expected} ${got}`,
    )
  }
  assert.deepEqual(compared('expect: { kept: true, why: tier }'), [])
  assert.deepEqual(compared('expect: [{ kept: true }]'), ['records 1 2'])
  const extra = compared('expect: [{ record: { log_level: ERROR } }, {}]')
  assert.ok(
    extra.includes('record.namespace absent "shop"') &&
      !extra.some((each) => each.startsWith('record.log_level')),
  )
})

test('a bad file of tests is told with line, column and the nearest key', () => {
  const refusals: readonly [string, RegExp][] = [
    [
      'tests:\n  - { name: x, surce: a, input: a, expect: {} }',
      /:2:16: tests\[0\]\.surce: unknown key; did you mean source\?/,
    ],
    [
      'tests:\n  - name: x\n    input: a\n    expect:\n      kept: maybe',
      /:5:7: tests\[0\]\.expect\[0\]\.kept: got "maybe", expected true or false/,
    ],
    [
      'tests:\n  - { name: x, input: a, expect: [{ why: luck }] }',
      /:2:37: .*why: got "luck", expected audit, metric, tier/,
    ],
    [
      'tests:\n  - { name: x, input: a, expect: {}, at: noon }',
      /:2:38: .*at: got "noon", expected a time such as/,
    ],
    [
      'tests:\n  - { name: x, input: a, expect: {}, traffic: { a: { p99: quick } } }',
      /p99: got "quick", expected a duration/,
    ],
    [
      'tests:\n  - { name: x, input: a, expect: {}, boosts: [{ pod: p }, {}] }',
      /:2:\d+: tests\[0\]\.boosts\[1\]: got a map, expected at least one of namespace, pod/,
    ],
    [
      'tests:\n  - { name: x, input: [a, "b\\nc"], expect: {} }',
      /:2:\d+: tests\[0\]\.input\[1\]: got "b\\nc", expected one line/,
    ],
    ['tests: []', /:1:1: tests: .*expected at least 1 entry/],
    ['test: []', /unknown key; did you mean tests/],
    ['tests:\n\t- x', /:2:1: a tab indents this line/],
    ['', /is empty/],
  ]
  for (const [yaml, message] of refusals) assert.throws(() => testsOf(yaml), { message }, yaml)
  const [placed] = testsOf('tests:\n  - { name: x, source: nope, input: a, expect: {} }')
  assert.throws(() => judgeTest(config, placed as NonNullable<typeof placed>), {
    code: 'config.test',
    message: /:2:7: there is no source "nope"; the configuration has pods, app/,
  })
})

test('the example passes its own tests', async () => {
  const { run, remove } = makeWorkspace()
  try {
    const at = (name: string) => fileURLToPath(new URL(`../../../examples/sampling/${name}`, import.meta.url))
    const { code, stdout, stderr } = await run(['test', '-c', at('millrace.yaml'), at('tests.yaml')])
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /^5 passed, 0 failed$/m)
  } finally {
    remove()
  }
})

test('the command exits 0, 1 or 2, and says which test failed where', async () => {
  const { folder: at, run, remove } = makeWorkspace()
  try {
    writeFileSync(path.join(at, 'millrace.yaml'), CONFIG)
    const one = (kept: boolean) =>
      `tests:\n  - name: errors stay\n    source: app\n    input: '{"level":"error","msg":"boom\\u001b[31m"}'\n    expect: { kept: ${kept} }\n`
    writeFileSync(path.join(at, 'good.yaml'), one(true))
    writeFileSync(path.join(at, 'bad.yaml'), one(false))
    writeFileSync(path.join(at, 'broken.yaml'), 'tests: 1')
    const [good, bad, json, broken, none] = await Promise.all([
      run(['test', 'good.yaml']),
      run(['test', 'good.yaml', 'bad.yaml']),
      run(['test', 'bad.yaml', '--json']),
      run(['test', 'good.yaml', 'broken.yaml']),
      run(['test', 'none.yaml']),
    ])
    assert.deepEqual([good.code, good.stdout], [0, 'ok    errors stay\n\n1 passed, 0 failed\n'])
    assert.equal(bad.code, 1)
    assert.match(
      bad.stdout,
      /^FAIL {2}errors stay {3}bad\.yaml:2:5\n {6}record 1: boom\ufffd\[31m\n {8}kept\n {10}expected false\n {10}got {6}true/m,
    )
    const told = JSON.parse(json.stdout) as { failed: number; tests: { differences: unknown[] }[] }
    assert.deepEqual([json.code, told.failed, told.tests[0]?.differences.length], [1, 1, 1])
    assert.deepEqual([broken.code, broken.stdout, none.code], [2, '', 2])
  } finally {
    remove()
  }
})
