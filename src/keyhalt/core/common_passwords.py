"""The words that passwords are most often made of: what is tried first when one is guessed.

Our own list, of words and names that everybody who guesses has, folded to lower case. Spellings
with digits and signs, sequences, rows of keys and repetitions are found by rule
(core/passwords.py), so they are not listed. A word stands here when people use it *as* a
password; ordinary words do not, so that several of them in a row stay a good one.
"""

COMMON = frozenset(
    """
    aaron abcdef access account adidas admin administrator adobe alexander alexandra alexis
    always amanda amazon america andrea andrew angel angela angels animal anthony apple april
    arsenal arthur ashley august austin autumn awesome azerty azertyuiop babygirl bailey banana
    barcelona barney baseball basketball batman beautiful bella benjamin blahblah blessed blink
    bond bonnie booboo boomer boston brandon brandy bubbles buddy buster butter butterfly calvin
    cameron canada captain carlos caroline casper celtic change changeit changeme charles
    charlie cheese chelsea cherry chester chicken chocolate chris christian christmas
    christopher cocacola coffee company computer cookie cooper corvette cowboy cowboys creative
    crystal daddy dakota dallas daniel daniela danielle database david december default demo
    dennis diablo diamond doctor dolphin dolphins donald dragon dragonball eagles edward
    einstein elephant elizabeth eminem energy energycap england enter estrella eternal facebook
    falcon family fantasy ferrari fireball flower flowers football forever freedom friday friend
    friends gandalf garfield gateway genius george ghbdtn giants ginger girls godzilla goldfish
    golf google guest guitar hacker hammer hannah hannibal happy harley harrypotter heather
    hello helloworld hockey hunter iceman iloveu iloveyou internet ironman israel jackie jackson
    jaguar james january jasmine jason jasper jennifer jeremy jessica jesus johnny johnson
    jonathan jordan joseph joshua julian junior justin justinbieber karina katherine kawasaki
    keepout keyhalt killer kimberly kitty knight kristina lakers lauren lebron legend letmein
    letmeinnow liberty lifehack liverpool login london looking loser love lovely loveme lover
    loveyou lucky maggie magic manager manchester manutd maria marina marine marlboro martin
    marvin master matrix matthew maverick maxwell melissa mercedes merlin metallica michael
    michelle mickey midnight minecraft mister monday money monica monkey monster morgan mother
    mountain muffin murphy mustang mypassword myspace naruto natasha nathan nicole ninja
    nintendo nirvana nopassword nothing november october oliver oracle orange pakistan panther
    pass passion passphrase passw passwd password passwort patricia patrick peanut pepper
    personal phoenix piglet pikachu player please pokemon poohbear porsche president princess
    private purple qwer qwert qwerty qwertz rabbit rachel raiders rainbow ranger rangers rebecca
    redsox richard robert rocket ronaldo root rosebud runner sabrina samantha sammy samsung
    samuel sandra saturday scooby scooter scorpion secret secure security september server
    service shadow shannon silver simple simpsons skippy slayer slipknot snickers snoopy soccer
    software sophie spanky sparky spartan spiderman spongebob spring startrek starwars steelers
    stella steven strong stupid success summer sunday sunflower sunshine super superman
    superstar support sweety system taylor teacher temp temporary tennis teresa test tester
    testing testtest thomas thunder thursday tiffany tiger tigers tigger tinkerbell tomcat toor
    topsecret toyota travis trouble truelove trustme trustno tuesday turtle tweety twitter
    ubuntu unknown user username valentine vanessa veronica victor victoria viking violet volcom
    walter warcraft warrior wednesday welcome whatever william willow windows winner winston
    winter wizard wolf wordpass xavier xxx yamaha yankee yankees yellow yourmom zxcvbn
    """.split()  # noqa: SIM905 - a list of one word a line would be hundreds of lines
)
