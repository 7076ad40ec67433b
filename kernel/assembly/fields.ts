// Setting the names of the fields that carry a record's status and latency; kernel/fields.ts calls it name by name.
import { addLong, addNested, addRoot, clearNames, nextText } from './field-names'
import { forgetFields, putField } from './names'
import { forgetShapes } from './shapes'

/** Forgets all names. */
export function fieldsReset(): void {
  forgetFields()
  forgetShapes()
  clearNames()
}

/** Where JavaScript puts the next name, as it stands between the quotes of a key. */
export function fieldTextPtr(): usize {
  return nextText()
}

/** Adds the name of `length` bytes at fieldTextPtr as one of root members. False: no room. */
export function fieldRoot(length: usize, spec: u32): bool {
  const at = nextText()
  forgetShapes()
  const field = addRoot(length, spec)
  if (field == 0) return false
  if (length > 16) addLong(field)
  else putField(at, length, field)
  return true
}

/** Adds the name at fieldTextPtr as one inside objects of the prefix. False: no room. */
export function fieldNested(prefix: u32, length: usize, spec: u32): bool {
  return addNested(prefix, length, spec)
}
