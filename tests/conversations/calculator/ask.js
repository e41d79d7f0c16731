// What Twilio's own calculator says of texts: a JSON list of them comes in, a JSON list of answers goes out.
// npm install sms-segments-calculator@1.3.0
const { SegmentedMessage } = require('sms-segments-calculator');

const answer = (text, smart) => {
  const { encodingName, messageSize, segments } = new SegmentedMessage(text, 'auto', smart);
  const characters = (segment) =>
    Array.from(segment).filter((each) => !each.isUserDataHeader).map((each) => [...each.raw].length);
  const sum = (numbers) => numbers.reduce((all, each) => all + each, 0);
  return [encodingName, messageSize / (encodingName === 'GSM-7' ? 7 : 16), ...segments.map((each) => sum(characters(each)))];
};

const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(texts.map((text) => [answer(text, false), answer(text, true)])));
