// Guards combinations of options that are each legal and together are not, and options that would silently do nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback } from '../../runtime/config/cross-checks.js'
import { configText, parse, parse as parsed, problemsOf } from './config-text.js'

const first = (text: string) => problemsOf(text).lines[0] ?? ''

test('a pipeline without a source or without a backend is refused', () => {
  const { lines } = problemsOf('sources: {}\nbackends: {}\n')
  assert.match(lines[0] ?? '', /^1:1: sources: got none, expected at least one/)
  assert.match(lines[1] ?? '', /^2:1: backends: got none/)
})

test('a data_dir that is a file is refused', () => {
  assert.match(
    first(configText({ extra: 'node: { data_dir: /etc/passwd }\n' })),
    /node\.data_dir: \/etc\/passwd is a file, expected a folder/,
  )
  assert.match(first(configText({ extra: 'node: { data_dir: /etc/passwd/x }\n' })), /node\.data_dir/)
})

test('anyone could push: an http source beyond loopback without a token is refused', () => {
  for (const listen of [
    '0.0.0.0:7701',
    '"[::]:7701"',
    '10.0.0.1:7701',
    'example.org:7701',
    '127.0.0.1.evil.org:1',
  ]) {
    assert.match(
      first(configText({ source: `type: http, listen: ${listen}` })),
      /is not loopback and there is no token_file/,
      listen,
    )
  }
  assert.ok(parsed(configText({ source: 'type: http, listen: 0.0.0.0:7701, token_file: t' })))
  for (const listen of ['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1'])
    assert.ok(isLoopback(listen), listen)
})

test('two listeners on one address are refused', () => {
  assert.match(
    first(configText({ source: 'type: http, listen: 127.0.0.1:7700' })),
    /127\.0\.0\.1:7700 is also http\.listen; choose another port/,
  )
})

test('a placement that forgets, doubles or misnames an actor, or parts the scanner, is refused', () => {
  const placed = (groups: string) => first(configText({ extra: `runtime: { placement: { ${groups} } }\n` }))
  assert.match(placed('a: [source.*, parse, enrich, sample], b: [journal]'), /no group holds writer\.es/)
  assert.match(
    placed('a: [source.*, parse, enrich, sample, sampler], b: [journal, writer.*]'),
    /names sampler, which is no actor/,
  )
  assert.match(
    placed('a: [source.*, parse], b: [enrich, sample], c: [journal], d: [writer.*]'),
    /share the scanner's memory/,
  )
  assert.match(
    placed('a: [source.*, parse, enrich, sample], b: [journal, parse], c: [writer.*]'),
    /parse is in the groups a and b/,
  )
  assert.ok(
    parse(
      configText({
        extra:
          'runtime: { placement: { a: [source.*, parse, enrich, sample], b: [journal], c: [writer.*] } }\n',
      }),
    ),
  )
})

test('credentials that are doubled or halved are refused', () => {
  const es = (options: string) =>
    first(configText({ backend: `type: elasticsearch, url: http://x, ${options}` }))
  assert.match(es('username: u, password: p, password_file: f'), /password_file: password is set as well/)
  assert.match(es('username: u'), /there is no password/)
  assert.match(es('password: p'), /there is no username/)
  assert.match(es('api_key: k, username: u, password: p'), /keep one way to sign in/)
  assert.match(first(configText({ backend: 'type: loki, url: "http://u:p@x"' })), /url: holds credentials/)
  assert.match(first(configText({ backend: 'type: loki, url: "http://x/?token=t"' })), /url: holds a query/)
})

test('frames that may leave the journal early need somebody who copies them, and a backend to copy from', () => {
  const extra = 'journal: { at_bound: release }\n'
  assert.match(first(configText({ extra })), /at_bound: release needs a second backend/)
  const vault = '  vault: { type: archive, path: ./a }\n'
  assert.match(
    first(configText({ extra: `${vault}${extra}audit: { repair: false }\n` })),
    /at_bound: release needs the audit/,
  )
  assert.ok(parsed(configText({ extra: `${vault}${extra}` })))
})

test('a journal that could not hold two segments is refused', () => {
  assert.match(
    first(configText({ extra: 'journal: { bytes_max: 100MiB }\n' })),
    /got 100MiB, expected at least two segments \(128MiB\)/,
  )
})

test('no option is without effect: with a buffer in JetStream the audit has one too', () => {
  const extra = 'nats: { servers: [nats://x] }\nbuffer: { mode: jetstream }\naudit: {}\n'
  assert.deepEqual(parse(configText({ extra })).warnings, [])
})

test('letters that would leave the stream within the time of its duplicates are refused', () => {
  const extra = 'nats: { servers: [nats://x], streams: { dead_letters_age_max: 1m } }\n'
  assert.match(first(configText({ extra })), /dead_letters_age_max: expected at least 2m, or 0s/)
})

test('a rule that does not parse is refused at its place, with the column and what was expected', () => {
  const refused = first(
    configText({ extra: 'sampling:\n  rules:\n    - when: error_rate > 0.05 AND p99_latncy > 1s\n' }),
  )
  assert.match(
    refused,
    /^7:7: sampling\.rules\[0\]\.when: column 23: expected a metric .*did you mean p99_latency/,
  )
})

test('more field names than the kernel has room for are refused', () => {
  const status = Array.from({ length: 16 }, (_, n) => `a${n}.b${n}.c${n}.${'d'.repeat(300)}`)
  const refused = first(
    configText({ extra: `sampling: { fields: { status: ${JSON.stringify(status)} } }\n` }),
  )
  assert.match(refused, /sampling\.fields: /)
})

test('a sampling section that shared memory does not hold is found only when the node starts', () => {
  const names = Array.from({ length: 20_000 }, (_, n) => `a-rather-long-name-of-a-service-${n}`)
  const refused = first(configText({ extra: `sampling: { debug_services: ${JSON.stringify(names)} }\n` }))
  assert.match(refused, /^5:1: sampling: the section takes \d+ bytes as JSON, which exceeds 262144 bytes/)
})

test('a `for` that does nothing is said', () => {
  const extra = 'sampling: { rules: [{ name: broken, when: status_code >= 500, for: 1m }] }\n'
  assert.match(
    parse(configText({ extra })).warnings.join(),
    /:5:13: sampling\.rules: broken: for has no effect/,
  )
})

test('two rules of one name, which metrics and verdicts cannot tell apart, are refused, and one with an empty name', () => {
  const rules = (...names: string[]) => {
    const items = names.map((name) => `    - { ${name}when: error_rate > 0.1 }\n`).join('')
    return configText({ extra: `sampling:\n  rules:\n${items}` })
  }
  assert.match(
    first(rules('name: a, ', 'name: b, ', 'name: a, ')),
    /^9:9: sampling\.rules\[2\]\.name: "a" is also sampling\.rules\[0\]/,
  )
  assert.match(
    first(rules('name: rule 2, ', '')),
    /^7:9: sampling\.rules\[0\]\.name: "rule 2" is also sampling\.rules\[1\]/,
  )
  assert.match(first(rules("name: '', ")), /^7:9: .*got "", expected a text that is not empty/)
  assert.ok(parsed(rules('name: a, ', '', '')))
})

test('options of info that a fixed rate of the tier leaves without effect are told', () => {
  const warnings = (tiers: string, info: string) =>
    parse(configText({ extra: `sampling: { tiers: { ${tiers} }, info: { ${info} } }\n` })).warnings
  const told = warnings('info: 1', 'target_per_second: 50, services: { cart: 0.1 }, services_max: 10')
  assert.equal(told.length, 2)
  assert.match(
    told[0] ?? '',
    /:5:\d+: sampling\.info\.target_per_second: has no effect: sampling\.tiers\.info/,
  )
  assert.match(told[1] ?? '', /sampling\.info\.services: has no effect/)
  assert.deepEqual(warnings('info: 1', 'services: {}'), [])
  assert.deepEqual(warnings('warn: 1', 'target_per_second: 50'), [])
})

test('a price for a backend that there is not is refused, and one below zero', () => {
  const priced = (cost: string) => configText({ extra: `report: { cost: ${cost} }\n` })
  assert.match(
    first(priced('{ ess: { ingested_per_gb: 1 } }')),
    /^5:19: report\.cost\.ess: there is no backend of this name; there are es$/,
  )
  assert.match(first(priced('{ es: { ingested_per_gb: -1 } }')), /got -1, expected a price of 0 or more/)
  assert.equal(parse(priced('{ es: {} }')).config.report.cost['es']?.size_factor, 1)
})
