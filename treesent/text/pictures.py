"""Emoji and emoticons as words, for tables of vectors that have no row of their own for them."""

import re
import unicodedata

_WORDS = """
happy 😀 😃 😄 😁 😆 😊 🙂 ☺ 😺 😸 🤗 😇 ☻
funny 😂 🤣 😹 😝 😜 🤪
love ❤ ♥ 💕 💖 💗 💓 💞 💘 💙 💚 💛 💜 🖤 🧡 🤍 🤎 💝 💟 ❣ 😘 😗 😙 😚 😻 💋 🥰 🫶
lovely 😍 🤩 🌹 🌸 🌺 💐
delicious 😋 🤤
cool 😎 🤘 🤙
excellent 👍 👌 💯 🔥 🏆 🥇 ⭐ 🌟 ✨ 🎉 🎊 👏 🙌 💪 ✅ ✔ 🤝
thanks 🙏
sad 😢 😭 😞 😔 😟 🙁 ☹ 😿 🥺 😥 😓 🥲 😪
heartbreaking 💔
angry 😠 😡 🤬 😤 👿 😾
disgusting 🤢 🤮 💩 🤧
terrible 👎 🖕 ❌ ✖ 🚫 ☠ 💀
boring 😴 🥱 😑 😒 🙄 😐 😶
awkward 😬 😅 🤦 🤷 😕 🫤 🤨
terrifying 😱 😨 😰 😧 😦
surprised 😮 😲 😯 🤯 😳
thinking 🤔 🧐
silly 🤡
sick 🤒 🤕 😷
tired 😩 😫 😖 😣
wink 😉 😏
"""
EMOJI = {picture: line[0] for line in map(str.split, _WORDS.strip().splitlines()) for picture in line[1:]}
"""What the most common emoji say, as a word that tables of vectors have."""

_EMOTICONS = """
happy :) :-) =) :] :-] ^^ ^_^ (: (-: =] :o) :') :'-) :)) :-)) :))) ☺️ :>
laughing :D :-D =D xD XD :'D 8D ;D
wink ;) ;-) ;] ;^)
love <3 <33 <333 :* :-* :x
sad :( :-( =( :[ :-[ :'( :'-( :(( :-(( :((( ): )-: D: ;( ='( T_T T.T ;_; :< :c ='[
awkward :/ :-/ =/ :\\ :-\\ :| :-| :s :-s :S -_- >_< >.<
angry >:( >:-( >:[ :@ :-@ >:|
playful :P :-P :p :-p =P =p xP xp ;P ;p
surprised :O :-O :o :-o =O o_O O_o o.O O_O
heartbreaking </3
"""
EMOTICONS = {face: line[0] for line in map(str.split, _EMOTICONS.strip().splitlines()) for face in line[1:]}
"""What emoticons say, as a word that tables of vectors have."""

_NAMES = re.compile(
    r"\b(?:face|with|sign|symbol|black|white|heavy|of|and|the|for|emoji|selector|variation)\b"
)


def picture_words(text: str) -> tuple[str, ...]:
    """Say in words what an emoji or emoticon shows.

    :param text: one token, without skin tones, joiners and selectors of variants.
    :returns: the words, from the tables of this module or the name that Unicode gives the character; none where
        the token is not a picture.
    """
    if word := EMOTICONS.get(text) or EMOJI.get(text):
        return (word,)
    if not text or not all(unicodedata.category(character) in {"So", "Sk"} for character in text):
        return ()
    if word := EMOJI.get(text[0]):
        return (word,)
    return tuple(_NAMES.sub(" ", unicodedata.name(text[0], "").lower().replace("-", " ")).split())
