// Placement: every actor in one thread, and errors that say which actor and what to do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linkedGroups, placeActors } from '../../runtime/placement.js'

const ACTORS = ['source.pods', 'parse', 'enrich', 'sample', 'journal', 'writer.es', 'writer.loki']

test('few cores share the writers, more cores give each its own thread', () => {
  assert.deepEqual(
    placeActors(ACTORS, undefined, 2).map(({ group }) => group),
    ['ingest', 'delivery'],
  )
  assert.deepEqual(
    placeActors(ACTORS, undefined, 8).map(({ group }) => group),
    ['ingest', 'journal', 'writer.es', 'writer.loki'],
  )
})

test('actors beside the flow share a thread, also where a placement from before them does not name them', () => {
  const all = [...ACTORS, 'auditor']
  const control = (placement?: Record<string, string[]>) =>
    placeActors(all, placement, 2).find(({ actors }) => actors.includes('auditor'))
  assert.deepEqual(control(), { group: 'control', actors: ['auditor'] })
  const old = { i: ['source.*', 'parse', 'enrich', 'sample'], d: ['writer.*', 'journal'] }
  assert.deepEqual(control(old), { group: 'control', actors: ['auditor'] })
  assert.deepEqual(control({ ...old, d: ['writer.*', 'journal', 'auditor'] })?.group, 'd')
})

const CHAIN = ['parse', 'enrich', 'sample']
for (const [placement, problem] of [
  [{ a: ['source.*', ...CHAIN], j: ['journal'] }, /no group holds writer\.es, writer\.loki/],
  [
    { a: ['source.*', ...CHAIN, 'writer.*'], j: ['journal'], b: ['writer.es'] },
    /writer\.es is in the groups a and b/,
  ],
  [
    { a: ['source.*', 'parse'], b: ['enrich', 'sample', 'writer.*'], j: ['journal'] },
    /share the scanner's memory/,
  ],
  [{ a: ['source.*', ...CHAIN, 'writer.*', 'journal'] }, /the journal needs a thread of its own/],
  [{ a: ['source.*', ...CHAIN, 'writer.*'], j: ['journal', 'jornal'] }, /names jornal, which is no actor/],
] as const) {
  test(`a placement is refused: ${problem.source}`, () => {
    assert.throws(() => placeActors(ACTORS, placement, 2), problem)
  })
}

test('a crash in the ingest chain restarts the chain, a crash of a writer only the writer', () => {
  const plans = placeActors(ACTORS, { s: ['source.*'], i: CHAIN, j: ['journal'], w: ['writer.*'] }, 2)
  const linked = (group: string) => {
    const crashed = plans.find((plan) => plan.group === group)
    return crashed === undefined ? [] : linkedGroups(crashed, plans).map((plan) => plan.group)
  }
  assert.deepEqual(linked('s'), ['s', 'i'])
  assert.deepEqual(linked('w'), ['w'])
  assert.deepEqual(linked('j'), ['s', 'i', 'j', 'w'])
})
