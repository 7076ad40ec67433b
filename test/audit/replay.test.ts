// Replays: a lost index and a new backend get every record again under its own id, and a second replay changes nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'
import { demandNoStack, openDesk } from '../node/desk.js'

const RECORDS = 300
const lines = Array.from({ length: RECORDS }, (_, n) => {
  const level = n % 10 === 0 ? 'error' : 'info'
  return `{"level":"${level}","msg":"m ${n}","service_name":"cart","trace_id":"t${n}"}\n`
})

interface Result {
  readonly records: number
  readonly refused: number
}

test('a lost index comes back from the archive, a new Loki is filled from the journal, twice is as once', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const es = await startElasticsearchStandIn({ store: 'records' })
  const loki = await startLokiStandIn({ store: 'records' })
  const fresh = await startLokiStandIn({ store: 'records' })
  for (const server of [es, loki, fresh]) t.after(server.close)
  desk.write('logs/a.log', lines.join(''))
  const config = (lokiUrl: string) => `node: { id: n1, cluster_id: c1, data_dir: ./data }
http: { listen: 127.0.0.1:0 }
sources: { app: { type: file, include: [logs/*.log] } }
sampling: { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } }
backends:
  es: { type: elasticsearch, url: "${es.url}", batch_age_max: 50ms }
  loki: { type: loki, url: "${lokiUrl}", batch_age_max: 50ms }
  vault: { type: archive, path: ./vault, batch_age_max: 50ms }
`
  const file = desk.write('m.yaml', config(loki.url))
  const other = desk.write('other.yaml', config(fresh.url))
  assert.equal((await desk.run('run', '--once', '-c', file)).code, 0)
  const before = es.documents()
  assert.equal(before.size, RECORDS)
  for (const index of new Set([...before.keys()].map(() => '*'))) {
    const listed = await (await fetch(`${es.url}/_cat/indices/${index}?format=json&h=index`)).json()
    for (const { index: name } of listed as { index: string }[])
      await fetch(`${es.url}/${name}`, { method: 'DELETE' })
  }
  assert.equal(es.count(), 0)

  const replay = async (...args: string[]): Promise<Result> => {
    const ended = await desk.run('replay', '--json', '--since', '2h', ...args)
    demandNoStack(ended, args.join(' '))
    assert.equal(ended.code, 0, ended.stderr)
    return JSON.parse(ended.stdout) as Result
  }
  const errors = await replay('-c', file, '--from', 'archive', '--to', 'es', '-f', 'level>=ERROR')
  assert.deepEqual([errors.records, es.count()], [30, 30])
  const all = await replay('-c', file, '--from', 'vault', '--to', 'es')
  assert.deepEqual([all.records, all.refused], [RECORDS, 0])
  assert.deepEqual(es.documents(), before, 'the same documents, byte for byte')

  for (let time = 0; time < 2; time++) {
    const filled = await replay('-c', other, '--from', 'journal', '--to', 'loki')
    assert.equal(filled.records, RECORDS)
    const rids = fresh.entries().map(({ metadata }) => metadata['rid'])
    assert.deepEqual(rids.toSorted(), [...before.keys()].toSorted(), `replay ${time + 1}`)
  }
  const inBoth = (entries: ReturnType<typeof fresh.entries>) =>
    entries.map(({ line, metadata, timestampNs }) => JSON.stringify([line, metadata, String(timestampNs)]))
  assert.deepEqual(inBoth(fresh.entries()).toSorted(), inBoth(loki.entries()).toSorted(), 'as written first')
})

test('bad usage of replay is one line and exit code 2', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const file = desk.write(
    'm.yaml',
    'sources: { a: { type: stdin } }\nbackends: { es: { type: elasticsearch, url: "http://127.0.0.1:9" } }\n',
  )
  const outcomes = await Promise.all([
    desk.run('replay', '-c', file, '--from', 'journal', '--to', 'nope', '--since', '1h'),
    desk.run('replay', '-c', file, '--from', 'journal', '--to', 'es', '--since', 'yesterday'),
    desk.run('replay', '-c', file, '--from', 'archive', '--to', 'es', '--since', '1h', '--dry-run'),
    desk.run('dlq', 'purge', '-c', file),
    desk.run('audit', 'run', '-c', file, '--since', '3 weeks'),
    desk.run('replay', '-c', file, '--from', 'journal', '--to', 'constructor', '--since', '1h'),
    desk.run('replay', '-c', file, '--from', 'journal', '--to', 'es', '--since', '1h', '--until', '2h'),
  ])
  const expected = [
    /--to: got "nope"/,
    /--since: got "yesterday"/,
    /--from: got "archive"/,
    /--all/,
    /--since/,
    /--to: got "constructor"/,
    /--until: .* is not after --since/,
  ]
  for (const [n, { code, stderr }] of outcomes.entries()) {
    assert.match(stderr, expected[n] as RegExp)
    assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], stderr)
  }
})
