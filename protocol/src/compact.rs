//! A JSON reader for the browser, where the size of the code counts: one parser into a small tree, and
//! one way from the tree into a type. serde_json is several times quicker, but it compiles a parser per
//! type, which made up half of the wasm module.
//!
//! It reads what the protocol's types need, unsigned integers below 2^64 as the only numbers, and
//! says no more about bad input than that it is bad.

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::fmt;

/// Deeper nesting is refused: the protocol's own is 6.
const DEPTH_MAX: usize = 64;

/// The text is not JSON, or not of the shape that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not of the expected shape")
    }
}

impl std::error::Error for Invalid {}

impl de::Error for Invalid {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads a value from JSON.
///
/// # Errors
/// [`Invalid`].
pub fn from_str<T: de::DeserializeOwned>(text: &str) -> Result<T, Invalid> {
    T::deserialize(parse(text)?)
}

/// A parsed text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    /// Any other number: no type of the protocol has one.
    Number,
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// The text of a field, if there is such a field and it is a text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        let Self::Object(entries) = self else { return None };
        match entries.iter().find(|(name, _)| name == field) {
            Some((_, Json::Text(text))) => Some(text),
            Some(_) | None => None,
        }
    }
}

/// Parses a text.
pub(crate) fn parse(text: &str) -> Result<Json<'_>, Invalid> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at == text.len() { Ok(value) } else { Err(Invalid) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn next(&mut self) -> u8 {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, Invalid> {
        if depth > DEPTH_MAX {
            return Err(Invalid);
        }
        self.space();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Invalid> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Invalid);
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Invalid> {
        let mut entries = Vec::new();
        self.at += 1;
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(Json::Object(entries));
        }
        loop {
            self.space();
            if self.peek() != b'"' {
                return Err(Invalid);
            }
            let name = self.string()?;
            // Which of two is meant, readers do not agree on.
            if entries.iter().any(|(known, _)| *known == name) {
                return Err(Invalid);
            }
            self.space();
            if self.next() != b':' {
                return Err(Invalid);
            }
            entries.push((name, self.value(depth + 1)?));
            self.space();
            match self.next() {
                b',' => {}
                b'}' => return Ok(Json::Object(entries)),
                _ => return Err(Invalid),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, Invalid> {
        let mut elements = Vec::new();
        self.at += 1;
        self.space();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.space();
            match self.next() {
                b',' => {}
                b']' => return Ok(Json::Array(elements)),
                _ => return Err(Invalid),
            }
        }
    }

    fn digits(&mut self) -> Result<&'a str, Invalid> {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if from == self.at { Err(Invalid) } else { Ok(&self.text[from..self.at]) }
    }

    fn number(&mut self) -> Result<Json<'a>, Invalid> {
        let negative = self.peek() == b'-';
        if negative {
            self.at += 1;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(Invalid);
        }
        let end = self.at;
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        if negative || self.at != end {
            return Ok(Json::Number);
        }
        Ok(whole.parse().map_or(Json::Number, Json::Unsigned))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Invalid> {
        self.at += 1;
        let mut owned: Option<String> = None;
        let mut from = self.at;
        loop {
            match self.peek() {
                b'"' => {
                    let rest = &self.text[from..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(rest),
                        Some(text) => Cow::Owned(text + rest),
                    });
                }
                b'\\' => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    let escaped = self.escape()?;
                    owned.get_or_insert_default().push(escaped);
                    from = self.at;
                }
                // The end of the text reads as 0, too.
                0..0x20 => return Err(Invalid),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Invalid> {
        Ok(match self.next() {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = self.hex()?;
                if let 0xD800..0xDC00 = code {
                    if self.next() != b'\\' || self.next() != b'u' {
                        return Err(Invalid);
                    }
                    let low = self.hex()?.wrapping_sub(0xDC00);
                    if low >= 0x400 {
                        return Err(Invalid);
                    }
                    code = 0x1_0000 + ((code - 0xD800) << 10) + low;
                }
                char::from_u32(code).ok_or(Invalid)?
            }
            _ => return Err(Invalid),
        })
    }

    fn hex(&mut self) -> Result<u32, Invalid> {
        let mut code = 0;
        for _ in 0..4 {
            code = code * 16 + char::from(self.next()).to_digit(16).ok_or(Invalid)?;
        }
        Ok(code)
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Invalid> {
        Err(Invalid)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        if let Self::Bool(value) = self { visitor.visit_bool(value) } else { Err(Invalid) }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        match self {
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Null | Self::Bool(_) | Self::Number | Self::Text(_) | Self::Array(_) | Self::Object(_) => {
                Err(Invalid)
            }
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        if let Self::Text(text) = self { visitor.visit_string(text.into_owned()) } else { Err(Invalid) }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        if self == Self::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        if let Self::Array(elements) = self {
            visitor.visit_seq(Elements(elements.into_iter()))
        } else {
            Err(Invalid)
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        if let Self::Object(entries) = self {
            visitor.visit_map(Entries { entries: entries.into_iter(), value: None })
        } else {
            Err(Invalid)
        }
    }

    /// Hands the fields over in the order of the type, so that it needs no code to tell them apart.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        if let Self::Object(entries) = self {
            visitor.visit_seq(Fields { entries, fields: fields.iter() })
        } else {
            Err(Invalid)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        let Self::Text(text) = self else { return Err(Invalid) };
        let at = variants.iter().position(|name| *name == text).ok_or(Invalid)?;
        visitor.visit_enum(Variant(at as u64))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier
    }
}

struct Elements<'a>(std::vec::IntoIter<Json<'a>>);

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Invalid;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Invalid> {
        self.0.next().map(|element| seed.deserialize(element)).transpose()
    }
}

struct Fields<'a> {
    entries: Vec<(Cow<'a, str>, Json<'a>)>,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'a> Fields<'a> {
    fn take(&mut self) -> Option<Json<'a>> {
        let field = self.fields.next()?;
        let at = self.entries.iter().position(|(name, _)| name == field)?;
        Some(self.entries.swap_remove(at).1)
    }
}

impl<'de> SeqAccess<'de> for Fields<'de> {
    type Error = Invalid;

    /// None for a field that is absent: the type takes its default, or is an error without one.
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Invalid> {
        self.take().map(|value| seed.deserialize(value)).transpose()
    }
}

struct Entries<'a> {
    entries: std::vec::IntoIter<(Cow<'a, str>, Json<'a>)>,
    value: Option<Json<'a>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Invalid;

    /// Keys that are numbers are text in JSON.
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Invalid> {
        let Some((name, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        let key = name.parse().map_or(Json::Text(name), Json::Unsigned);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Invalid> {
        seed.deserialize(self.value.take().ok_or(Invalid)?)
    }
}

struct Variant(u64);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Invalid;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Invalid> {
        Ok((seed.deserialize(de::value::U64Deserializer::new(self.0))?, self))
    }
}

/// The protocol's enums are plain names, but for those whose type is looked at before.
impl<'de> VariantAccess<'de> for Variant {
    type Error = Invalid;

    fn unit_variant(self) -> Result<(), Invalid> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Invalid> {
        Err(Invalid)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Invalid> {
        Err(Invalid)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Invalid> {
        Err(Invalid)
    }
}
