import type { Random } from '#base'
import { type Draft, type ExampleDomain, type Lexicon, phrase, say } from '../phrase.ts'

/** With the preposition, so that they fit behind any request. */
const ROOMS: Lexicon = {
  kitchen: ['in the kitchen', 'in the kitchen', 'where I cook', 'by the stove'],
  'living room': ['in the living room', 'in the lounge', 'in the sitting room', 'around the sofa'],
  bedroom: ['in the bedroom', 'in the bedroom', 'in our bedroom', 'where we sleep'],
  bathroom: ['in the bathroom', 'at the tub', 'in the shower room', 'where I shave'],
  hall: ['in the hall', 'in the hallway', 'at the entrance', 'by the coat rack'],
  office: ['in the office', 'in the study', 'at my desk', 'where I work'],
  nursery: [
    'in the nursery',
    "in the baby's room",
    "in the kids' room",
    'where the little ones sleep',
  ],
  garage: ['in the garage', 'where the car is', 'at the car port'],
  garden: ['in the garden', 'on the terrace', 'in the back yard', 'outside'],
  cellar: ['in the cellar', 'in the basement', 'down the stairs under the house'],
  attic: ['in the attic', 'in the loft', 'right under the roof'],
  laundry: ['in the laundry', 'in the washing room', 'where the dryer is'],
}

/** Devices that know more and less. */
const GRADED: Lexicon = {
  light: ['the light', 'the lights', 'the lamp', 'the ceiling light'],
  heating: ['the heating', 'the radiator', 'the heater', 'the thermostat'],
  blind: ['the blind', 'the blinds', 'the shutter', 'the shade'],
  fan: ['the fan', 'the ventilator', 'the air'],
  speaker: ['the speaker', 'the music', 'the radio', 'the sound'],
}

const DEVICES: Lexicon = {
  ...GRADED,
  socket: ['the socket', 'the plug', 'the outlet'],
  camera: ['the camera', 'the webcam', 'the surveillance'],
  sprinkler: ['the sprinkler', 'the watering', 'the hose'],
}

const SWITCHES: Lexicon = {
  on: [
    '(turn|switch) on {device} {room}',
    '{device} on {room}',
    'get {device} going {room}',
    'I need {device} {room}',
    'start {device} {room}',
  ],
  off: [
    '(turn|switch) off {device} {room}',
    '{device} off {room}',
    'kill {device} {room}',
    'nobody needs {device} {room}',
    'stop {device} {room}',
  ],
}

const SHIFTS: Lexicon = {
  up: ['{device} (up|higher) {room}', 'more of {device} {room}', 'raise {device} {room}'],
  down: ['{device} (lower|down) {room}', 'less of {device} {room}', 'reduce {device} {room}'],
}

/** What somebody says without naming what is to be done. */
const HINTS: Lexicon = {
  'light on': ['it is too dark to read {room}', 'I cannot see a thing {room}'],
  'light off': ['it is far too bright {room}', 'why is it still lit {room}'],
  'heating up': ['it is freezing {room}', 'my feet are cold {room}', 'it feels like winter {room}'],
  'heating down': ['it is boiling {room}', 'I am sweating {room}', 'it feels like a sauna {room}'],
  'blind down': ['the sun blinds me {room}', 'the neighbours can see us {room}'],
  'blind up': ['let in some daylight {room}', 'show me the view {room}'],
  'fan on': ['it smells {room}', 'the air is thick {room}', 'steam everywhere {room}'],
  'speaker down': ['it is too loud {room}', 'I cannot hear myself think {room}'],
  'speaker up': ['I can hardly hear the song {room}', 'the news is too quiet {room}'],
  'camera on': ['tell me who is {room}', 'keep an eye on what happens {room}'],
  'sprinkler on': ['the plants look thirsty {room}', 'everything is dry {room}'],
}

const POLITE = '(|||please|could you please|hey house,|quick,|ok house)'
const LATER = '(|||now|right away|for me|thanks|will you|, if you can)'

const NUMBERS: Lexicon = Object.fromEntries(
  Object.entries({
    20: 'twenty',
    18: 'eighteen',
    22: 'twenty two',
    10: 'ten',
    50: 'half',
    21: 'twenty one',
    100: 'all the way',
    30: 'thirty',
    75: 'three quarters',
    25: 'a quarter',
    16: 'sixteen',
    40: 'forty',
    5: 'five',
    90: 'ninety',
  }).map(([digits, words]) => [digits, [digits, words]]),
)

const LEVELS = [
  'set {device} {room} to {level}',
  '{device} {room} {level}',
  'I want {device} at {level} {room}',
  'make it {level} for {device} {room}',
]

/** Requests to a house: commands in the form `device room action`, and the room or the intent alone. */
export const home: ExampleDomain = {
  name: 'home',
  draw: (random) => random.pick([command, command, room, intent])(random),
}

interface Request {
  readonly text: string
  readonly device: string
  readonly room: string
  readonly action: string
}

function request(random: Random): Request {
  const [room, roomWords] = say(random, ROOMS)
  const wrap = (body: string, values: Record<string, string>) =>
    phrase(random, `${POLITE} ${body} ${LATER}`, { ...values, room: roomWords })
  const kind = random.next()
  if (kind < 0.3) {
    const [meaning, hints] = random.pick(Object.entries(HINTS))
    const [device = '', action = ''] = meaning.split(' ')
    return { text: phrase(random, random.pick(hints), { room: roomWords }), device, room, action }
  }
  if (kind < 0.65) {
    const [device, deviceWords] = say(random, GRADED)
    if (kind < 0.5) {
      const [action, level] = say(random, NUMBERS)
      const text = wrap(random.pick(LEVELS), { device: deviceWords, level })
      return { text, device, room, action }
    }
    const [action, way] = say(random, SHIFTS)
    return { text: wrap(way, { device: deviceWords }), device, room, action }
  }
  const [device, deviceWords] = say(random, DEVICES)
  const [action, way] = say(random, SWITCHES)
  return { text: wrap(way, { device: deviceWords }), device, room, action }
}

function command(random: Random): Draft {
  const { text, device, room, action } = request(random)
  return {
    task: 'home_command',
    instruction: 'Write the device command for this request.',
    input: text,
    output: `${device} ${room} ${action}`,
  }
}

function room(random: Random): Draft {
  const { text, room } = request(random)
  return {
    task: 'home_room',
    instruction: 'Name the room this request is about.',
    input: text,
    output: room,
  }
}

const INTENTS: Readonly<Record<string, string>> = {
  on: 'switch on',
  off: 'switch off',
  up: 'increase',
  down: 'decrease',
}

function intent(random: Random): Draft {
  const { text, action } = request(random)
  return {
    task: 'home_intent',
    instruction: 'Name the intent of this request to the house.',
    input: text,
    output: INTENTS[action] ?? 'set level',
  }
}
