// Guards the measuring of other products: their configurations can be filled in, and one that fails says why and is not left running.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { PEERS } from '../../benchmarks/benches/peers-list.js'
import { createKit, type OwnedKit } from '../../benchmarks/harness/kit.js'
import { deliveryText, lookAtDelivery } from '../../benchmarks/harness/delivery.js'
import { fillIn, onPath, type Peer, PEERS_FOLDER, runPeer } from '../../benchmarks/harness/peer.js'
import { type CorpusOnDisk, writeCorpus } from '../../benchmarks/harness/scratch.js'

const RECORDS = 200
/** What a peer is to the harness: reads its configuration, sends everything to both, and stays until it is told to end. */
const WORKING = `
const { readFileSync, readdirSync } = require('node:fs')
const text = readFileSync(process.argv[3], 'utf8')
const [root, es, loki] = [/include: \\["(.*?)\\/\\*/, /endpoints: \\["(.*?)"/, /endpoint: "(.*?)"/].map((find) => find.exec(text)[1])
const files = readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.log'))
const lines = files.flatMap((name) => readFileSync(root + '/' + name, 'utf8').trim().split('\\n'))
const records = lines.map((line) => line.split(' ').slice(3).join(' '))
const send = (url, type, body) => fetch(url, { method: 'POST', headers: { 'content-type': type }, body })
void send(es + '/logs/_bulk', 'application/x-ndjson', records.map((each) => '{"create":{}}\\n' + each + '\\n').join(''))
void send(loki + '/loki/api/v1/push', 'application/json', JSON.stringify({ streams: [{ stream: {}, values: records.map((each) => ['1', each]) }] }))
setInterval(() => undefined, 1000)
`
/** What the configurations of the peers tell them to add. */
const ADDING = `records.forEach((each, n) => (records[n] = each.slice(0, -1) + ',"cluster_id":"bench"}'));\n`

let kit: OwnedKit
let corpus: CorpusOnDisk
before(() => {
  kit = createKit(() => undefined, new AbortController().signal)
  corpus = writeCorpus(kit.scratch.fresh('pods'), RECORDS, { pods: 2 })
})
after(() => kit.close())

function install(name: string, text: string): string {
  const folder = join(kit.scratch.folder, 'bin')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, name)
  writeFileSync(file, `#!${process.execPath}\n${text}`)
  chmodSync(file, 0o755)
  return folder
}

function vector(): Peer {
  const [peer] = PEERS
  assert.ok(peer)
  return { ...peer, args: (config) => ['--config', config] }
}

test('a peer on PATH is found, run over the corpus and ended', async () => {
  const folder = install('vector', WORKING)
  const binary = onPath(['no-such', 'vector'], ['/nowhere', folder].join(delimiter))
  assert.equal(binary, join(folder, 'vector'))
  const run = await runPeer(vector(), binary ?? '', corpus, await kit.sinks(), kit.scratch)
  assert.deepEqual([run.es, run.loki, run.complaint], [RECORDS, RECORDS, undefined])
  assert.ok(run.usage.cpuSeconds > 0 && run.usage.peakRssBytes > 1e6)
  assert.equal(onPath(['no-such'], folder), undefined)
})

test('a peer that loses records, sends some twice or adds no field is found out', async () => {
  const mark = '"cluster_id":"bench"'
  const broken = [
    ['honest', '', RECORDS, RECORDS, 0],
    ['loses', 'records.splice(0, 50, ...records.slice(100, 150));', RECORDS - 50, RECORDS, 100],
    ['forgets', 'records.fill(records[0].replace(/,"cluster_id".*}$/, "}"), 0, 1);', RECORDS, RECORDS - 1, 0],
  ] as const
  for (const [name, fault, distinct, marked, again] of broken) {
    const folder = install(name, WORKING.replace('const send', `${ADDING}${fault}\nconst send`))
    const sinks = await kit.sinks()
    const delivery = await lookAtDelivery(sinks, RECORDS, mark, () =>
      runPeer(vector(), join(folder, name), corpus, sinks, kit.scratch),
    )
    const expected = { es: distinct, loki: distinct, marked: { es: marked, loki: marked }, again }
    assert.deepEqual(delivery, expected, name)
    const text = deliveryText(name, RECORDS, delivery)
    assert.match(text, name === 'honest' ? /each of 200 records once in both/ : /of 200 records/)
  }
})

test('a peer that ends early is told with its own words', async () => {
  const folder = install('broken', `process.stderr.write('I know no such option'); process.exit(3)`)
  const run = await runPeer(vector(), join(folder, 'broken'), corpus, await kit.sinks(), kit.scratch)
  assert.deepEqual([run.es, run.loki], [0, 0])
  assert.equal(run.complaint, 'ended after 0 and 0 of 200 records; it said: I know no such option')
})

test('every configuration names the corpus and both sinks, and nothing that is not filled in', () => {
  const names = [
    'ROOT',
    'DATA',
    'CONFIG_DIR',
    'ES_URL',
    'LOKI_URL',
    'ES_HOST',
    'ES_PORT',
    'LOKI_HOST',
    'LOKI_PORT',
  ]
  for (const peer of PEERS) {
    const text = readFileSync(join(PEERS_FOLDER, peer.config), 'utf8').replace(/^#.*\n/gm, '')
    const values = Object.fromEntries(names.map((name) => [name, `<${name}>`]))
    const filled = fillIn(text, { ...values, ...peer.values })
    assert.match(filled, /<ROOT>/, peer.name)
    assert.match(filled, /<ES_(?:URL|HOST)>/, peer.name)
    assert.match(filled, /<LOKI_(?:URL|HOST)>/, peer.name)
  }
  const used = new Set(PEERS.map(({ config }) => config))
  const there = readdirSync(PEERS_FOLDER).filter((name) => !name.endsWith('-parsers.conf'))
  assert.deepEqual(there.toSorted(), [...used].toSorted())
  assert.throws(() => fillIn('${NO_SUCH}', {}), /nothing to fill in for \$\{NO_SUCH\}/)
})
