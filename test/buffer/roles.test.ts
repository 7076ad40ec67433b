// Guards the roles: a node without the half that its role needs, frames published for backends that nobody named, an actor too many.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planNode } from '../../actors/plan.js'
import { createEmptied } from '../../cli/emptied.js'
import { parse, problemsOf } from '../config/config-text.js'

const SOURCES = 'sources: { app: { type: file, include: [logs/*.log] } }\n'
const BACKENDS = 'backends: { es: { type: elasticsearch, url: "http://127.0.0.1:9200" } }\n'
const NATS = 'nats: { servers: ["nats://127.0.0.1:4222"] }\n'
const role = (name: string) => `node: { role: ${name} }\n`
const buffer = (more = '') => `buffer: { mode: jetstream${more} }\n`
const problem = (text: string) => problemsOf(text).lines.join('\n')
const plan = (text: string, cores = 2) => planNode(parse(text).config, false, cores)
const names = (text: string) => plan(text).actors.map(({ name }) => name)

test('a role that has nothing to work with is refused, with the way out', () => {
  assert.match(problem(`${SOURCES}${BACKENDS}${buffer()}`), /buffer\.mode: jetstream needs the section nats/)
  assert.match(
    problem(`${role('agent')}${SOURCES}${BACKENDS}`),
    /node\.role: agent hands frames over through JetStream; add buffer: \{ mode: jetstream \}/,
  )
  assert.match(
    problem(`${role('writer')}${SOURCES}${BACKENDS}${NATS}${buffer()}`),
    /sources: a node with the role writer reads none/,
  )
  assert.match(
    problem(`${role('agent')}${SOURCES}${NATS}${buffer()}`),
    /buffer\.backends: nothing says which backends the writers have.*backends: \[es, loki\]/,
  )
  assert.match(problem(`${role('writer')}${NATS}${buffer()}`), /backends: got none, expected at least one/)
  assert.match(
    problem(`${role('agent')}${NATS}${buffer(', backends: [es]')}`),
    /sources: got none, expected at least one/,
  )
  assert.match(
    problem(`${role('agent')}${SOURCES}${NATS}${buffer(', backends: ["a.b"]')}`),
    /expected the name of a backend/,
  )
})

test('each role has its half, and all both', () => {
  const agent = names(`${role('agent')}${SOURCES}${NATS}${buffer(', backends: [es]')}`)
  assert.deepEqual(
    agent.filter((name) => !['control', 'capture', 'auditor', 'letters'].includes(name)),
    ['source.app', 'parse', 'enrich', 'sample', 'traffic', 'publisher', 'journal'],
  )
  const writer = names(`${role('writer')}${BACKENDS}${NATS}${buffer()}`)
  // The journal and its publisher: what was read while it had another role is not left behind.
  assert.deepEqual(
    writer.filter((name) => !['control', 'auditor', 'letters'].includes(name)),
    ['writer.es', 'buffer.es', 'publisher', 'journal'],
  )
  const all = names(`${SOURCES}${BACKENDS}${NATS}${buffer()}`)
  for (const name of ['source.app', 'publisher', 'buffer.es', 'writer.es'])
    assert.ok(all.includes(name), name)
  const local = names(`${SOURCES}${BACKENDS}${NATS}`)
  assert.ok(!local.some((name) => name === 'publisher' || name.startsWith('buffer.')), local.join())
})

test('a receiver shares the thread of its writer, the publisher that of the journal', () => {
  for (const cores of [2, 8]) {
    const { groups } = plan(`${SOURCES}${BACKENDS}${NATS}${buffer()}`, cores)
    const groupOf = (actor: string) => groups.find(({ actors }) => actors.includes(actor))?.group
    assert.equal(groupOf('buffer.es'), groupOf('writer.es'))
    assert.equal(groupOf('publisher'), groupOf('journal'))
  }
})

test('a run that ends waits for what is in JetStream, also when the thread that was asked is started anew', async () => {
  const node = plan(`${SOURCES}${BACKENDS}${NATS}${buffer()}`)
  const asked: string[] = []
  const emptied = createEmptied(node, (to) => void asked.push(to))
  emptied.restarted(node.groups.map(({ group }) => group))
  assert.deepEqual(asked, [])
  let done = false
  const waiting = emptied.ask().then(() => (done = true))
  emptied.restarted(node.groups.map(({ group }) => group))
  assert.deepEqual(asked, ['buffer.es', 'buffer.es'])
  await Promise.resolve()
  assert.equal(done, false)
  emptied.told('buffer.es')
  await waiting
  await createEmptied(plan(`${SOURCES}${BACKENDS}`), () => assert.fail('nobody to ask')).ask()
})
