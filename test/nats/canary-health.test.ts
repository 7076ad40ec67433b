// Guards what ends a roll-out: a crash, dead letters and silence do, what an operator restarts meanwhile does not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCanaryHealth } from '../../cli/ctl/canary-health.js'

interface Said {
  readonly restarts?: number
  readonly asked?: number
  readonly up?: boolean
  readonly revision?: number
  readonly deadLetters?: number
}

const silent = { node: 'n', answer: { ok: false, code: 'node.unreachable', message: 'nobody' } } as const
const said = ({ restarts = 0, asked = 0, up = true, revision = 7, deadLetters = 0 }: Said = {}) => ({
  node: 'n',
  answer: {
    ok: true as const,
    result: {
      ready: up,
      reasons: up ? [] : ['thread group g is being started'],
      degraded: [],
      groups: { g: { restarts, asked, up } },
      backends: { es: { deadLetters } },
      actors: { control: { detail: { settingsRevision: revision } } },
    },
  },
})
const health = (before: Said = {}) => createCanaryHealth(new Map([['n', said(before)]]), 7)

test('an operator who restarts a canary’s threads does not end the roll-out', () => {
  const looks = health({ restarts: 3, asked: 1 })
  const at = 60_000
  assert.deepEqual(looks.problems([said({ restarts: 3, asked: 2, up: false })], at), [])
  assert.deepEqual(looks.problems([silent], at), [])
  assert.deepEqual(looks.problems([said({ restarts: 5, asked: 3, revision: 0 })], at), [])
  assert.deepEqual(looks.problems([said({ restarts: 5, asked: 3 })], at), [])
  assert.deepEqual(looks.problems([said({ restarts: 5, asked: 3, revision: 0 })], at), [
    'n does not run revision 7 after 10 s',
  ])
})

test('a crash, dead letters, and a canary that stays silent do', () => {
  assert.deepEqual(health().problems([said({ restarts: 2, asked: 1, up: false })], 0), [
    'n: thread group g crashed',
  ])
  assert.deepEqual(health().problems([said({ deadLetters: 1 })], 0), ['n: es has new dead letters'])
  const looks = health()
  assert.deepEqual(looks.problems([silent], 1000), [])
  assert.deepEqual(looks.problems([silent], 6000), ['n gives no answer any more: nobody'])
})
