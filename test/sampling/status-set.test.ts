// Sets of status codes: the algebra, and that all and nothing are recognised, so that they cost no table.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  hasStatus,
  inBoth,
  inEither,
  notIn,
  STATUS_ABSENT,
  type StatusSet,
  statusSet,
} from '../../protocol/sampling/status-set.js'

const places = Array.from({ length: STATUS_ABSENT + 1 }, (_, status) => status)
const members = fc.uniqueArray(
  fc.oneof(fc.constantFrom(0, 31, 32, 991, 992, 999, STATUS_ABSENT), fc.nat({ max: STATUS_ABSENT })),
)

function membersOf(set: StatusSet): number[] {
  return places.filter((status) => hasStatus(set, status))
}

test('a set has a status that it should not, or lacks one', () => {
  fc.assert(
    fc.property(members, members, (inA, inB) => {
      const [a, b] = [inA, inB].map((all) => statusSet((status) => all.includes(status))) as [
        StatusSet,
        StatusSet,
      ]
      const both = places.filter((status) => inA.includes(status) && inB.includes(status))
      const either = places.filter((status) => inA.includes(status) || inB.includes(status))
      assert.deepEqual(membersOf(inBoth(a, b)), both)
      assert.deepEqual(membersOf(inEither(a, b)), either)
      assert.deepEqual(
        membersOf(notIn(a)),
        places.filter((status) => !inA.includes(status)),
      )
    }),
  )
})

test('all or nothing is not seen to be so', () => {
  fc.assert(
    fc.property(members, (all) => {
      const set = statusSet((status) => all.includes(status))
      assert.equal(inBoth(set, notIn(set)), false)
      assert.equal(inEither(set, notIn(set)), true)
      assert.deepEqual(notIn(notIn(set)), set)
      assert.deepEqual([inBoth(set, true), inBoth(false, set)], [set, false])
      assert.deepEqual([inEither(true, set), inEither(set, false)], [true, set])
    }),
  )
  assert.deepEqual([statusSet(() => true), statusSet(() => false)], [true, false])
})
